import { queryOptions } from "@tanstack/react-query";
import { act } from "./act";
import { orgKey } from "./keys";

/** How many requests for access wait for an approver; shared by the menu and the bell. */
export function pendingGrantsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "jit_access_grants", "pending"),
    queryFn: async ({ signal }) => (await act("governance", "get_pending_count", { org_id: orgId }, signal)).pending_count,
  });
}
