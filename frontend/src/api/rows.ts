import { call } from "./client";

type WritableTable = "acl_rules" | "segmentation_groups" | "segmentation_group_members" | "posture_policies" | "policy_tests" | "abac_policies" | "tag_owners";
type Values = Readonly<Record<string, unknown>>;

/** How many rows one call may add. */
const MOST_ROWS = 100;

export async function addRow<Row>(table: WritableTable, orgId: string, values: Values): Promise<Row> {
  return call<Row>(`/api/db/${table}`, { method: "POST", body: { org_id: orgId, ...values } });
}

/** Adds rows in as few calls as may be; each call is all or nothing. */
export async function addRows(table: WritableTable, orgId: string, rows: readonly Values[]): Promise<void> {
  for (let first = 0; first < rows.length; first += MOST_ROWS) {
    await call(`/api/db/${table}`, { method: "POST", body: { org_id: orgId, rows: rows.slice(first, first + MOST_ROWS) } });
  }
}

export async function changeRow(table: WritableTable, orgId: string, id: string, values: Values): Promise<void> {
  await call(addressOf(table, orgId, id), { method: "PATCH", body: values });
}

export async function removeRow(table: WritableTable, orgId: string, id: string, { force = false } = {}): Promise<void> {
  await call(addressOf(table, orgId, id) + (force ? "&force=true" : ""), { method: "DELETE" });
}

function addressOf(table: WritableTable, orgId: string, id: string): string {
  return `/api/db/${table}?${new URLSearchParams({ org_id: orgId, id: `eq.${id}` })}`;
}
