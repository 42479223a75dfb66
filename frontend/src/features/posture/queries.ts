import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";
import { orgKey } from "@/api/keys";

export type PostureMode = "disabled" | "monitor" | "enforce";
export type OnFail = "warn" | "restrict" | "quarantine";

export interface PosturePolicy {
  id: string;
  org_id: string;
  name: string;
  description: string | null;
  scope: { tags?: string[]; groups?: string[] };
  allowed_os: string[];
  min_os_version: Record<string, unknown>;
  require_disk_encryption: boolean;
  require_firewall: boolean;
  require_antivirus: boolean;
  max_patch_age_days: number | null;
  screen_lock: { enabled?: boolean; max_idle_min?: number } | null;
  require_auto_update: boolean;
  agent_version_min: string | null;
  on_fail: OnFail;
  grace_period_min: number;
  enabled: boolean;
}

export interface Violation {
  code: string;
  found?: unknown;
  allowed?: unknown;
  policy_id?: string;
}

/** What a machine last said of itself; null where it could not tell. */
export interface PostureReport {
  id: string;
  machine_id: string;
  os_version: string | null;
  disk_encrypted: boolean | null;
  firewall_enabled: boolean | null;
  antivirus_enabled: boolean | null;
  antivirus_name: string | null;
  patch_age_days: number | null;
  screen_lock_timeout: number | null;
  auto_update: boolean | null;
  pending_security_updates: number | null;
  reboot_pending: boolean | null;
  agent_version: string | null;
  compliant: boolean;
  violations: string[];
  violation_details: Violation[];
  failing_since: string | null;
  grace_ends_at?: string | null;
  reported_at: string;
}

export interface HistoryPoint {
  at: string;
  compliant: boolean;
  violations: string[];
}

const MOST = 1000;
const TEMPLATE_ORG = "00000000-0000-0000-0000-000000000000";

function readAll<Row>(table: string, orgId: string, order: string, signal: AbortSignal): Promise<Row[]> {
  return call<Row[]>(`/api/db/${table}?${new URLSearchParams({ org_id: orgId, order, limit: String(MOST) })}`, { signal });
}

/** The organisation's policies and the templates it may copy. */
export function posturePoliciesQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "posture_policies"),
    queryFn: ({ signal }) => readAll<PosturePolicy>("posture_policies", orgId, "name.asc", signal),
  });
}

export function isTemplate({ org_id }: Pick<PosturePolicy, "org_id">): boolean {
  return org_id === TEMPLATE_ORG;
}

export function reportsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "posture_reports"),
    queryFn: ({ signal }) => readAll<PostureReport>("posture_reports", orgId, "reported_at.desc", signal),
  });
}

export function historyQuery(orgId: string, machineId: string, days: number) {
  return queryOptions({
    queryKey: orgKey(orgId, "posture_reports", "history", machineId, days),
    queryFn: async ({ signal }) => (await posture<{ points: HistoryPoint[] }>(orgId, "history", { machine_id: machineId, days }, signal)).points,
  });
}

export function posture<T>(orgId: string, action: string, values: object, signal?: AbortSignal): Promise<T> {
  return call<T>("/api/posture", { method: "POST", body: { action, org_id: orgId, ...values }, signal });
}
