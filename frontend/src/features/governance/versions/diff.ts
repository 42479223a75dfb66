import type { FieldChange, RevisionChange } from "@/api/answers";
import { nounOf } from "@/lib/table-nouns";

export type Kind = "created" | "updated" | "deleted";

/** A row's change as a person reads it: what was done to what, and the fields that differ. */
export function described({ table, id, before, after }: RevisionChange): { kind: Kind; noun: string; name: string; fields: FieldChange[] } {
  const kind = before === null ? "created" : after === null ? "deleted" : "updated";
  const name = after?.name ?? before?.name;
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
    .filter((field) => field !== "name" || kind === "updated")
    .map((field) => ({ field, before: before?.[field], after: after?.[field] }))
    .filter((change) => (kind === "updated" ? !equal(change.before, change.after) : saysSomething(change.before ?? change.after)));
  return { kind, noun: nounOf(table), name: typeof name === "string" ? name : table === "settings" ? "of the organisation" : id, fields };
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

// Of a row that came or went, what it leaves open is no news.
function saysSomething(value: unknown): boolean {
  return value !== null && value !== undefined && value !== "" && value !== false && !(Array.isArray(value) && value.length === 0);
}

export function fieldName(field: string): string {
  return field.replaceAll("_", " ");
}

/** A value on one line: "yes", "linux, darwin", "–" for none. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "–" : value.map(valueText).join(", ");
  return JSON.stringify(value);
}
