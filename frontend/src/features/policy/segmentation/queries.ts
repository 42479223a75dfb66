import { queryOptions } from "@tanstack/react-query";
import { from, type Query } from "@/api/from";
import { orgKey } from "@/api/keys";
import type { AclRule, GroupMember } from "@/api/tables";
import { membersOf } from "@/lib/selectors";

const WINDOW_ROWS = 1000;

/** Which machine is in which group, for all groups at once. */
export function membershipsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "segmentation_group_members"),
    queryFn: ({ signal }) => readAll(from("segmentation_group_members").in(orgId), signal),
  });
}

/** All memberships that a query finds, window after window. */
export async function readAll(query: Query<"segmentation_group_members">, signal?: AbortSignal): Promise<GroupMember[]> {
  const rows: GroupMember[] = [];
  let next: string | null = null;
  do {
    const window = await query.limit(WINDOW_ROWS).after(next).window(signal);
    rows.push(...window.rows);
    next = window.next;
  } while (next !== null);
  return rows;
}

/** The rules that name the group, whatever the case. */
export function rulesNaming(rules: readonly AclRule[], group: string): AclRule[] {
  const wanted = `group:${group}`.toLowerCase();
  const names = (end: string) => membersOf(end).some((member) => member.toLowerCase() === wanted);
  return rules.filter(({ source, destination }) => names(source) || names(destination));
}
