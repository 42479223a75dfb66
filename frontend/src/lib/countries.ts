const names = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });

/** Germany (DE) */
export function countryName(code: string): string {
  const name = names.of(code);
  return name === undefined || name === code ? code : `${name} (${code})`;
}
