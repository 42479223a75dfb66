import type { Member } from "@/api/members";
import type { IdpGroupMember } from "@/api/tables";

export interface PersonInGroup {
  id: string;
  group_id: string;
  name: string;
  email: string | null;
  since: string;
}

/** Who is in groups of people, by name. */
export function peopleNamed(memberships: readonly IdpGroupMember[], members: readonly Member[]): PersonInGroup[] {
  const known = new Map(members.map((member) => [member.user_id, member]));
  return memberships
    .map(({ id, group_id, user_id, created_at }) => {
      const email = known.get(user_id)?.email ?? null;
      return { id, group_id, name: known.get(user_id)?.full_name || email || user_id, email, since: created_at };
    })
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { sensitivity: "base" }));
}
