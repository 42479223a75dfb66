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

/** Who is in which group of people. */
export function peopleQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "idp_group_members"),
    queryFn: ({ signal }) => from("idp_group_members").in(orgId).all(signal),
  });
}

/** Groups whose name or description holds the text, by name. */
export function groupsMatching<G extends { name: string; description?: string | null }>(groups: readonly G[], text: string): G[] {
  const wanted = text.trim().toLowerCase();
  return groups.filter(({ name, description }) => `${name} ${description ?? ""}`.toLowerCase().includes(wanted)).sort((a, b) => a.name.localeCompare(b.name, undefined, { sensitivity: "base" }));
}

/** The rules that name the group, whatever the case. */
export function rulesNaming(rules: readonly AclRule[], group: string): AclRule[] {
  const wanted = `group:${group}`.toLowerCase();
  const names = (end: string) => membersOf(end).some((member) => member.toLowerCase() === wanted);
  return rules.filter(({ source, destination }) => names(source) || names(destination));
}

/** Memberships by the group that they are of. */
export function byGroup<M extends { group_id: string }>(memberships: readonly M[]): ReadonlyMap<string, M[]> {
  const found = new Map<string, M[]>();
  for (const membership of memberships) {
    const listed = found.get(membership.group_id);
    if (listed) listed.push(membership);
    else found.set(membership.group_id, [membership]);
  }
  return found;
}
