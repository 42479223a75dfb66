import { queryOptions } from "@tanstack/react-query";
import { act } from "./client";
import { orgKey } from "./keys";
import type { OrgSettings } from "./tables";

/** The organisation's settings, as far as the caller's role may read them. */
export function orgSettingsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "org_settings"),
    queryFn: ({ signal }) => act<OrgSettings>("org-management", "get_settings", { org_id: orgId }, signal),
  });
}
