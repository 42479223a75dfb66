import { queryOptions } from "@tanstack/react-query";
import { from } from "@/api/from";
import { orgKey } from "@/api/keys";
import type { AclRule } from "@/api/tables";
import { membersOf } from "@/lib/selectors";

/** Which machine is in which group, for all groups at once. */
export function membershipsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "segmentation_group_members"),
    queryFn: ({ signal }) => from("segmentation_group_members").in(orgId).all(signal),
  });
}

/** The rules that name the group, whatever the case. */
export function rulesNaming(rules: readonly AclRule[], group: string): AclRule[] {
  const wanted = `group:${group}`.toLowerCase();
  const names = (end: string) => membersOf(end).some((member) => member.toLowerCase() === wanted);
  return rules.filter(({ source, destination }) => names(source) || names(destination));
}
