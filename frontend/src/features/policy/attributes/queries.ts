import { queryOptions } from "@tanstack/react-query";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";

export function abacQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "abac_policies", narrowedBy({ name: true })),
    queryFn: ({ signal }) => from("abac_policies").in(orgId).order("priority").limit(1000).rows(signal),
  });
}
