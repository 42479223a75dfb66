import { ApiError } from "@/api/error";
import { addRow, changeRow, removeRow } from "@/api/rows";
import type { Changes } from "./queries";

/** Whether the preview failed, rather than the change: an outage must not keep anybody from closing a hole. */
export function previewFailed(error: unknown): boolean {
  return error instanceof ApiError && (error.status >= 500 || error.status === 404 || error.code === "BAD_ANSWER");
}

/** Makes a change of rules without a plan; each write is checked and tested as it is saved. */
export async function saveDirectly(orgId: string, { acl_rules: rules }: Changes): Promise<void> {
  for (const values of rules?.create ?? []) await addRow("acl_rules", orgId, values);
  for (const { id, ...values } of rules?.update ?? []) await changeRow("acl_rules", orgId, String(id), values);
  for (const id of rules?.delete ?? []) await removeRow("acl_rules", orgId, id);
}
