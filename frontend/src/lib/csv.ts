// A spreadsheet would run such a cell as a formula.
const FORMULA = /^[=+\-@\t\r]/;

/** RFC 4180 text of a table: CRLF rows, quotes where needed, formula cells disarmed with an apostrophe. */
export function toCsv(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function cell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
