import { queryOptions } from "@tanstack/react-query";
import { act } from "./act";
import { orgKey } from "./keys";

/** The organisation's settings, as far as the caller's role may read them. */
export function orgSettingsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "org_settings"),
    queryFn: ({ signal }) => act("org-management", "get_settings", { org_id: orgId }, signal),
  });
}
