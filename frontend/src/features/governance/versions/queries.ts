import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { act } from "@/api/act";
import type { PolicyVersion, Revision } from "@/api/answers";
import { from } from "@/api/from";
import { orgKey } from "@/api/keys";

const PAGE = 50;

interface RevisionPage {
  revisions: Revision[];
  next_cursor: number | null;
}

/** Every write of the whole policy, newest first. */
export function revisionsQuery(orgId: string) {
  return infiniteQueryOptions({
    queryKey: orgKey(orgId, "revisions", "list"),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ next_cursor }: RevisionPage) => next_cursor ?? undefined,
    queryFn: ({ pageParam, signal }): Promise<RevisionPage> => act("governance", "list_revisions", { org_id: orgId, limit: PAGE, ...(pageParam !== undefined && { cursor: pageParam }) }, signal),
  });
}

/** What one write changed; it never changes itself. */
export function revisionQuery(orgId: string, revision: number) {
  return queryOptions({
    queryKey: orgKey(orgId, "revision", revision),
    staleTime: Infinity,
    queryFn: ({ signal }) => act("governance", "get_revision", { org_id: orgId, revision }, signal),
  });
}

/** The rules one may ask the versions of. */
export function versionedRulesQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "acl_rules", "names"),
    queryFn: ({ signal }) => from("acl_rules").in(orgId).select("id", "name", "priority").limit(1000).rows(signal),
  });
}

/** The snapshots of one rule, highest number first. */
export function versionsQuery(orgId: string, ruleId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "policy_versions", ruleId),
    queryFn: async ({ signal }): Promise<PolicyVersion[]> => (await act("governance", "list_policy_versions", { org_id: orgId, policy_type: "acl_rule", policy_id: ruleId }, signal)).versions,
  });
}

/** How a snapshot differs from the rule as it is now. */
export function versionDiffQuery(orgId: string, versionId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "acl_rules", "diff", versionId),
    queryFn: async ({ signal }) => (await act("governance", "diff_policy_versions", { org_id: orgId, from_id: versionId, to_id: null }, signal)).changes,
  });
}
