import { act } from "@/api/act";
import { ApiError } from "@/api/error";
import { addRow, changeRow, removeRow } from "@/api/rows";
import { plannedTables, type Changes } from "./queries";

/** Whether the preview failed, rather than the change: an outage must not keep anybody from closing a hole. */
export function previewFailed(error: unknown): boolean {
  return error instanceof ApiError && (error.status >= 500 || error.status === 404 || error.code === "BAD_ANSWER");
}

/** Makes a change without a plan; each write is checked and tested as it is saved. Who is in a group is saved otherwise. */
export async function saveDirectly(orgId: string, changes: Changes): Promise<void> {
  for (const table of plannedTables) {
    const { create = [], update = [], delete: leaving = [] } = changes[table] ?? {};
    for (const values of create) await addRow(table, orgId, values);
    for (const { id, ...values } of update) await changeRow(table, orgId, String(id), values);
    for (const entry of leaving) {
      const { id, force } = typeof entry === "string" ? { id: entry, force: false } : entry;
      await removeRow(table, orgId, id, { force });
    }
  }
  if (changes.settings) await act("org-management", "update_org_settings", { org_id: orgId, ...changes.settings });
}
