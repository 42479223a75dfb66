import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { call } from "@/api/client";
import { orgKey } from "@/api/keys";

export type CampaignStatus = "pending" | "active" | "completed" | "cancelled";

export interface Campaign {
  id: string;
  name: string;
  description: string | null;
  status: CampaignStatus;
  reviewer_user_id: string | null;
  due_date: string;
  started_at: string | null;
  completed_at: string | null;
  created_at: string;
  decided: number;
  total: number;
  overdue: boolean;
}

export type Decision = "approve" | "revoke" | "modify";

export interface ReviewDecision {
  id: string;
  resource_type: "machine" | "acl_rule";
  resource_id: string;
  machine_name?: string | null;
  rule_name?: string | null;
  decision: Decision | null;
  notes: string | null;
  decided_at: string | null;
  decided_by: string | null;
}

const MOST = 50;

export function review<T>(orgId: string, action: string, values: object = {}, signal?: AbortSignal): Promise<T> {
  return call<T>("/api/governance", { method: "POST", body: { action, org_id: orgId, ...values }, signal });
}

export function campaignsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "access_review_campaigns"),
    queryFn: async ({ signal }) => (await review<{ campaigns: Campaign[] }>(orgId, "list_review_campaigns", { limit: MOST }, signal)).campaigns,
  });
}

export function decisionsQuery(orgId: string, campaignId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "access_review_decisions", campaignId),
    queryFn: async ({ signal }) => (await review<{ decisions: ReviewDecision[] }>(orgId, "get_review_decisions", { campaign_id: campaignId }, signal)).decisions,
  });
}

export function useRefreshReviews(orgId: string): () => Promise<unknown> {
  const client = useQueryClient();
  return () => Promise.all(["access_review_campaigns", "access_review_decisions"].map((topic) => client.invalidateQueries({ queryKey: orgKey(orgId, topic) })));
}

/** Still open for decisions. */
export function isOpen({ status }: Pick<Campaign, "status">): boolean {
  return status === "pending" || status === "active";
}

export function nameOf({ machine_name, rule_name, resource_id }: Pick<ReviewDecision, "machine_name" | "rule_name" | "resource_id">): string {
  return machine_name ?? rule_name ?? resource_id;
}
