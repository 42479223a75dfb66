import { queryOptions } from "@tanstack/react-query";
import { call } from "./client";
import { orgKey } from "./keys";

/** What a user has chosen in one organisation. */
export interface Preferences {
  onboarding_dismissed?: boolean;
}

export function preferencesQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "preferences"),
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const { values } = await call<{ values: Preferences }>(`/api/auth/preferences?org_id=${orgId}`, { signal });
      return values;
    },
  });
}

export async function savePreferences(orgId: string, values: Preferences): Promise<void> {
  await call("/api/auth/preferences", { method: "PUT", body: { org_id: orgId, values } });
}
