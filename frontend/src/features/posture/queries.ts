import { queryOptions } from "@tanstack/react-query";
import { act } from "@/api/act";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { PosturePolicy } from "@/api/tables";

const MOST = 1000;
const TEMPLATE_ORG = "00000000-0000-0000-0000-000000000000";

/** The organisation's policies and, after them, the templates that it may copy. */
export function posturePoliciesQuery(orgId: string) {
  return queryOptions({
    // What a scope names and nothing has comes with the row, and not with the event of a changed scope.
    queryKey: orgKey(orgId, "posture_policies", narrowedBy({ scope: true })),
    queryFn: ({ signal }) => from("posture_policies").in(orgId).order("name").limit(MOST).rows(signal),
  });
}

export function isTemplate({ org_id }: Pick<PosturePolicy, "org_id">): boolean {
  return org_id === TEMPLATE_ORG;
}

export function reportsQuery(orgId: string) {
  return queryOptions({
    // An event of a verdict leaves out why.
    queryKey: orgKey(orgId, "posture_reports", narrowedBy({ compliant: true })),
    queryFn: ({ signal }) => from("posture_reports").in(orgId).order("reported_at", "desc").limit(MOST).rows(signal),
  });
}

export function historyQuery(orgId: string, machineId: string, days: number) {
  return queryOptions({
    queryKey: orgKey(orgId, "posture_reports", "history", machineId, days),
    queryFn: async ({ signal }) => (await act("posture", "history", { org_id: orgId, machine_id: machineId, days }, signal)).points,
  });
}
