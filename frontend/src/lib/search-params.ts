/** The query of an address as plain texts. The router's own way reads `1e5` as a number, which would spoil codes and names. */
export function parseSearch(query: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(query));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const given = Object.entries(search).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** A search parameter's text without outer blanks; undefined when there is none. */
export function textParam(value: unknown): string | undefined {
  return typeof value === "string" ? value.trim() || undefined : undefined;
}
