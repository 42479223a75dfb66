/** Hands `text` to the person as a file of this type. */
export function download(fileName: string, type: "text/csv" | "application/json", text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(link.href);
}
