import { queryOptions, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { call } from "@/api/client";
import { narrowedBy, orgKey } from "@/api/keys";
import type { PostureMode } from "@/api/tables";
import { waitsForApproval, type PlanAnswer, type StoredPlan } from "./report";

type Row = Readonly<Record<string, unknown>>;

interface TableChanges {
  create?: readonly Row[];
  update?: readonly Row[];
  /** Ids; forced, what names the row is no reason to keep it. */
  delete?: readonly (string | { id: string; force: boolean })[];
}

/** The tables that plans change; what others name stands first. */
export const plannedTables = ["segmentation_groups", "acl_rules", "abac_policies", "posture_policies"] as const;
export type PlannedTable = (typeof plannedTables)[number];

/** What one plan changes: rows by table, and settings. */
export type Changes = Partial<Record<PlannedTable, TableChanges>> & {
  settings?: { default_deny?: boolean; posture_enforcement?: PostureMode };
};

export interface Applied {
  status: "applied" | "awaiting_confirmation" | "scheduled";
  policy_version?: number;
  confirm_by?: string | null;
}

/** How far the newest policy has come: how many machines said that they enforce it. */
export interface Enforcement {
  policy_version: number;
  saved_at: string | null;
  agents_total: number;
  acknowledged: number;
  p50_ms: number | null;
  p99_ms: number | null;
  pending: { id: string; name: string }[];
}

export function actOnPolicy<T>(orgId: string, action: string, values: object = {}, signal?: AbortSignal): Promise<T> {
  return call<T>("/api/policy", { method: "POST", body: { action, org_id: orgId, ...values }, signal });
}

/** Thinks a change through without making it: flows gained and lost, tests, connections cut. */
export function planChanges(orgId: string, changes: Changes, note?: string): Promise<PlanAnswer> {
  return actOnPolicy(orgId, "plan", { changes, ...(note && { note }) });
}

const WHILE_ASKING_MS = 500;

export function planQuery(orgId: string, planId: string) {
  return queryOptions({
    // Events carry a plan's state alone: with it the rest is read again.
    queryKey: orgKey(orgId, "change_plans", planId, narrowedBy({ status: true })),
    queryFn: ({ signal }) => actOnPolicy<StoredPlan>(orgId, "get_plan", { plan_id: planId }, signal),
    refetchInterval: ({ state: { data } }) => (data?.live_connections?.state === "asking" ? WHILE_ASKING_MS : false),
  });
}

/** A plan that was just made, completed as the machines answer. */
export function useCompletedPlan(orgId: string, plan: PlanAnswer): PlanAnswer {
  const { data } = useQuery({ ...planQuery(orgId, plan.plan_id), enabled: plan.live_connections?.state === "asking" });
  return data ?? plan;
}

/** Plans on trial, and those that wait: for a second administrator, for somebody to apply them, or for their time. */
export function openPlansQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "change_plans", "open", narrowedBy({ status: true })),
    queryFn: async ({ signal }) => {
      const statuses = ["awaiting_confirmation", "ready", "approved", "scheduled"];
      const answers = await Promise.all(statuses.map((status) => actOnPolicy<{ plans: StoredPlan[] }>(orgId, "list_plans", { status }, signal)));
      // A plan that is ready and needs nobody's approval is a preview that somebody looked at.
      return answers.flatMap(({ plans }) => plans).filter((plan) => plan.status !== "ready" || waitsForApproval(plan));
    },
  });
}

const WHILE_SPREADING_MS = 1_000;

/** Read every second while a change is on its way to the machines, and again at every change. */
export function enforcementQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "enforcement"),
    queryFn: ({ signal }) => actOnPolicy<Enforcement>(orgId, "enforcement", {}, signal),
    refetchInterval: ({ state: { data } }) => (data && data.acknowledged < data.agents_total ? WHILE_SPREADING_MS : false),
  });
}

/** Everything that a change of policy may have changed. */
function refreshPolicy(client: QueryClient, orgId: string): Promise<unknown> {
  const topics = ["acl_rules", "segmentation_groups", "segmentation_group_members", "abac_policies", "posture_policies", "posture_reports", "machines", "change_plans", "enforcement", "evaluation", "policy_tests", "revisions", "posture", "org_settings"];
  return Promise.all(topics.map((topic) => client.invalidateQueries({ queryKey: orgKey(orgId, topic) })));
}

export function useRefreshPolicy(orgId: string): () => Promise<unknown> {
  const client = useQueryClient();
  return () => refreshPolicy(client, orgId);
}
