import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";
import { orgKey } from "@/api/keys";
import type { Protocol, Verdict } from "@/api/tables";
import type { FailedTest } from "@/components/plans/report";

/** What must hold whatever changes: all that source names reaches, or not, all that destination names. */
export interface PolicyTest {
  id: string;
  name: string;
  source: string;
  destination: string;
  port: number;
  protocol: Exclude<Protocol, "*">;
  expected: Verdict;
  last_result: "passed" | "failed" | null;
  last_run_at: string | null;
}

export interface TestRun {
  passed: number;
  failed: FailedTest[];
}

export function policyTestsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "policy_tests"),
    queryFn: ({ signal }) => call<PolicyTest[]>(`/api/db/policy_tests?${new URLSearchParams({ org_id: orgId, order: "name.asc", limit: "1000" })}`, { signal }),
  });
}
