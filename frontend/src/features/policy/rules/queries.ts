import { queryOptions } from "@tanstack/react-query";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { AclRule } from "@/api/tables";

/** All rules in the order in which they are judged; the page narrows them itself, by machines' names too. */
export function rulesQuery(orgId: string) {
  return queryOptions({
    // Every change counts a rule's revision up, which its event does not carry: it is read again.
    queryKey: orgKey(orgId, "acl_rules", narrowedBy({ name: true })),
    queryFn: ({ signal }) => from("acl_rules").in(orgId).all(signal),
    select: inOrder,
  });
}

/** Smaller priorities first, older rules first among equals: the first that matches decides. */
export function inOrder(rules: readonly AclRule[]): AclRule[] {
  return [...rules].sort((a, b) => a.priority - b.priority || a.created_at.localeCompare(b.created_at) || a.id.localeCompare(b.id));
}
