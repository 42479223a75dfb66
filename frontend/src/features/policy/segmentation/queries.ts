import { queryOptions } from "@tanstack/react-query";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { AbacPolicy, AclRule, GroupMember, PosturePolicy } from "@/api/tables";
import { membersOf } from "@/lib/selectors";

const WINDOW_ROWS = 1000;

/** Which machine is in which group, for all groups at once. */
export function membershipsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "segmentation_group_members"),
    queryFn: async ({ signal }) => {
      const rows: GroupMember[] = [];
      let next: string | null = null;
      do {
        const window = await from("segmentation_group_members").in(orgId).limit(WINDOW_ROWS).after(next).window(signal);
        rows.push(...window.rows);
        next = window.next;
      } while (next !== null);
      return rows;
    },
  });
}

/** The rules that name the group, whatever the case. */
export function rulesNaming(rules: readonly AclRule[], group: string): AclRule[] {
  return rules.filter(({ source, destination }) => names(source, group) || names(destination, group));
}

type Attributed = Pick<AbacPolicy, "id" | "name" | "selector">;
type Scoped = Pick<PosturePolicy, "id" | "name" | "scope">;

/** Attribute policies, each with what it picks. */
export function attributedQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "abac_policies", "naming", narrowedBy({ selector: true })),
    queryFn: ({ signal }): Promise<Attributed[]> => from("abac_policies").in(orgId).select("id", "name", "selector").limit(WINDOW_ROWS).rows(signal),
  });
}

/** Posture policies, each with its scope. */
export function scopedQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "posture_policies", "naming", narrowedBy({ scope: true })),
    queryFn: ({ signal }): Promise<Scoped[]> => from("posture_policies").in(orgId).select("id", "name", "scope").limit(WINDOW_ROWS).rows(signal),
  });
}

/** A rule or policy that names a group. */
export interface Naming {
  kind: "acl_rule" | "abac_policy" | "posture_policy" | (string & {});
  id: string;
  name: string;
}

/** The policies that name the group, whatever the case. */
export function policiesNaming(attributed: readonly Attributed[], scoped: readonly Scoped[], group: string): Naming[] {
  const wanted = group.toLowerCase();
  const picking = attributed.filter(({ selector }) => names(selector, group)).map(({ id, name }) => ({ kind: "abac_policy", id, name }));
  const covering = scoped.filter(({ scope }) => scope.groups?.some((named) => named.toLowerCase() === wanted)).map(({ id, name }) => ({ kind: "posture_policy", id, name }));
  return [...picking, ...covering];
}

/** What an answer says that keeps the group from being deleted. */
export function namingIn(refusal: Readonly<Record<string, unknown>>): Naming[] {
  const rules = (refusal.rules ?? []) as Omit<Naming, "kind">[];
  return [...rules.map(({ id, name }) => ({ kind: "acl_rule", id, name })), ...((refusal.policies ?? []) as Naming[])];
}

function names(end: string, group: string): boolean {
  const wanted = `group:${group}`.toLowerCase();
  return membersOf(end).some((member) => member.toLowerCase() === wanted);
}
