import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { act, type ActionOf, type ValuesOf } from "@/api/act";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { toast } from "@/components/ui/toast";

export function dnsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "dns"),
    queryFn: ({ signal }) => act("dns-management", "get_settings", { org_id: orgId }, signal),
  });
}

type DnsAction = ActionOf<"dns-management">;
type DnsValues<A extends DnsAction> = Omit<ValuesOf<"dns-management", A>, "org_id">;

/** One change of the organisation's DNS, after which the page is read again; `done` is what to say then. */
export function useDnsChange<A extends DnsAction>(action: A, done: string) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return useMutation({
    // The parts are checked by the caller's types; their union over all actions is more than the compiler wants to hold.
    mutationFn: (values: DnsValues<A>) => act("dns-management", action, { org_id: org.id, ...values } as never),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: orgKey(org.id, "dns") });
      toast.done(done);
    },
  });
}

/** For changes outside any form, where a failure has no other place. */
export const tellFailure = { onError: (error: unknown) => toast.failed(messageOf(error)) };
