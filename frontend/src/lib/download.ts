/** Hands `text` to the person as a file of this type. */
export function download(fileName: string, type: "text/csv" | "application/json", text: string): void {
  save(fileName, new Blob([text], { type: `${type};charset=utf-8` }));
}

/** Hands a file that is already made to the person. */
export function save(fileName: string, file: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(link.href);
}
