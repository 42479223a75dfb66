import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";

/** From a saved change to the machines that acknowledged it, over the last hour; null without any. */
export interface Propagation {
  p50_ms: number | null;
  p99_ms: number | null;
  acks: number;
}

export interface DashboardStats {
  machineCount: number;
  onlineCount: number;
  pendingCount: number;
  memberCount: number;
  pendingInvites: number;
  aclRuleCount?: number;
  keysExpiringSoon?: number;
  unresponsiveCount?: number;
  propagation?: Propagation;
  /** Machines that reported their posture, and those of them that are compliant. */
  postureTotal?: number;
  postureCompliant?: number;
}

export function statsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "dashboard"),
    queryFn: ({ signal }) =>
      call<DashboardStats>("/api/db/_rpc", { method: "POST", body: { fn: "get_dashboard_stats", _org_id: orgId }, signal }),
  });
}

const LATEST = 4;

export function latestOnlineQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machines", "latest", narrowedBy({ status: "online" })),
    queryFn: ({ signal }) =>
      from("machines").in(orgId).eq("status", "online").order("last_seen", "desc", "nullslast").limit(LATEST).rows(signal),
  });
}
