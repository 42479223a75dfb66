import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { act, type ActionOf, type AnswerOf, type ValuesOf } from "@/api/act";
import type { AccessGrant } from "@/api/answers";
import { useCurrentOrg } from "@/api/current-org";
import { narrowedBy, orgKey } from "@/api/keys";

const MOST = 500;

/** The newest requests: all of them for those who watch over access, one's own for a member. */
export function grantsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "jit_access_grants", narrowedBy({ status: true })),
    queryFn: async ({ signal }) => (await act("governance", "get_request_history", { org_id: orgId, limit: MOST }, signal)).requests,
  });
}

type GrantAction = Extract<ActionOf<"governance">, `jit_${string}`>;

/** One step in the life of a grant, after which lists and rules are read again. */
export function useGrantStep<A extends GrantAction>(action: A) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return useMutation({
    // The parts are checked by the caller's types; their union over all actions is more than the compiler wants to hold.
    mutationFn: (values: Omit<ValuesOf<"governance", A>, "org_id">): Promise<AnswerOf<"governance", A>> => act("governance", action, { org_id: org.id, ...values } as never),
    onSuccess: () => Promise.all(["jit_access_grants", "acl_rules"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) }))),
  });
}

/** In force now: approved, and its end has not come. */
export function isActive({ status, expires_at }: Pick<AccessGrant, "status" | "expires_at">, now: number): boolean {
  return status === "approved" && expires_at !== null && Date.parse(expires_at) > now;
}

/** What a person should read: an approved grant whose end has come is over, whether or not anybody has noted it. */
export function stateOf(grant: Pick<AccessGrant, "status" | "expires_at">, now: number): AccessGrant["status"] {
  return grant.status === "approved" && !isActive(grant, now) ? "expired" : grant.status;
}

/** How much of its time a grant has left, 1 to 0. */
export function shareLeft({ granted_at, expires_at }: Pick<AccessGrant, "granted_at" | "expires_at">, now: number): number {
  if (granted_at === null || expires_at === null) return 0;
  const whole = Date.parse(expires_at) - Date.parse(granted_at);
  return whole <= 0 ? 0 : Math.min(1, Math.max(0, (Date.parse(expires_at) - now) / whole));
}

export function hoursText(hours: number): string {
  if (hours < 1) return `${Math.round(hours * 60)} min`;
  return `${Number(hours.toFixed(1))} h`;
}
