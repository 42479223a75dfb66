import { queryOptions } from "@tanstack/react-query";
import { from } from "@/api/from";
import { orgKey } from "@/api/keys";
import type { Member } from "@/api/members";
import type { TagOwner } from "@/api/tables";

/** As many as an organisation may have. */
const MOST_OWNERS = 1000;

export function tagOwnersQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "tag_owners"),
    queryFn: ({ signal }) => from("tag_owners").in(orgId).order("tag").limit(MOST_OWNERS).rows(signal),
  });
}

/** A tag as it is kept: `tag:prod` is prod. */
export function bareTag(text: string): string {
  return text.trim().replace(/^tag:/, "");
}

/** Members who could be given a tag: those who are in and do not own it yet, by name. */
export function candidates(members: readonly Member[], owners: readonly Pick<TagOwner, "tag" | "principal_id">[], tag: string): Member[] {
  const own = new Set(owners.filter((owner) => owner.tag === bareTag(tag)).map(({ principal_id }) => principal_id));
  return members.filter(({ status, user_id }) => status === "active" && !own.has(user_id)).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}

export function nameOf({ full_name, email, user_id }: Pick<Member, "full_name" | "email" | "user_id">): string {
  return full_name ? `${full_name} (${email ?? user_id})` : (email ?? user_id);
}
