import { nounOf } from "@/lib/table-nouns";
import type { Planned } from "./planned-change";
import type { Changes, PlannedTable } from "./queries";

interface Row {
  id: string;
  name: string;
}

type Values = Readonly<Record<string, unknown>>;

/** What a page of planned rows has open: the form over a row or a new one, or the plan of a change that needs no form. */
export type Opened<R> = { form: R | null } | { plan: Planned } | null;

/** Switches a row on or off. `more`: columns that are sent besides, such as a revision. */
export function switching(table: PlannedTable, { id, name }: Row, enabled: boolean, more: Values = {}): Planned {
  const noun = nounOf(table);
  return { title: `${enabled ? "Enable" : "Disable"} ${name}`, action: enabled ? "Enable" : "Disable", changes: () => of(table, { update: [{ id, ...more, enabled }] }), done: `${noun} ${enabled ? "enabled" : "disabled"}` };
}

/** Takes a row away. */
export function deleting(table: PlannedTable, { id, name }: Row): Planned {
  return { title: `Delete ${name}`, action: "Delete", danger: true, changes: () => of(table, { delete: [id] }), done: `${nounOf(table)} deleted` };
}

/** What a form over a row changes: all of a new one, of another the columns that differ. */
export function saving(table: PlannedTable, seen: { id: string } | null, values: Values): Changes {
  return of(table, seen ? { update: [{ id: seen.id, ...values }] } : { create: [values] });
}

function of(table: PlannedTable, rows: NonNullable<Changes[PlannedTable]>): Changes {
  return { [table]: rows };
}
