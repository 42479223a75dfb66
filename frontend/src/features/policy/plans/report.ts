import type { ConnectionCount } from "./connections";
import type { FlowChange } from "./flow-layout";

export type PlanStatus = "ready" | "approved" | "scheduled" | "applied" | "awaiting_confirmation" | "rolled_back" | "abandoned" | "expired" | "failed" | (string & {});

interface End {
  id: string;
  name: string;
}

export interface PlannedFlow {
  source: End;
  destination: End;
  protocol: string;
  port?: number | null;
  ports?: string | null;
  /** Open ones that would be cut. */
  connections?: number;
}

export interface PlanCheck {
  name: string;
  ok: boolean;
  message: string;
}

export interface FailedTest {
  id: string;
  name: string;
  expected: string;
  actual: string;
  rule: string | null;
}

export interface RuleNote {
  id?: string;
  name: string;
  by?: string;
}

/** What a plan would do, as the control plane worked it out. */
export interface PlanAnswer {
  plan_id: string;
  base_version: number;
  checks: PlanCheck[];
  tests: { passed: number; failed: FailedTest[] };
  flows: { gained: PlannedFlow[]; lost: PlannedFlow[]; sampled: boolean };
  live_connections?: ConnectionCount;
  /** What could be cut, and once the machines have answered what is. */
  live_connections_cut: PlannedFlow[];
  shadowed: RuleNote[];
  duplicates: RuleNote[];
  unresolved: string[];
  machines_affected: number;
  requires_approval: boolean;
  expires_at: string;
}

export function flowChanges({ gained, lost }: PlanAnswer["flows"]): FlowChange[] {
  return [...gained.map((flow) => changeOf(flow, "gained")), ...lost.map((flow) => changeOf(flow, "lost"))];
}

function changeOf({ source, destination, protocol, port, ports }: PlannedFlow, change: FlowChange["change"]): FlowChange {
  return { source, destination, protocol, ports: ports ?? (port ? String(port) : "*"), change };
}

/** Whether the plan would leave no administrator a way in. */
export function locksOut({ checks }: PlanAnswer): boolean {
  return checks.some(({ name, ok }) => name === "lockout" && !ok);
}

/** A plan as it is kept. */
export interface StoredPlan extends PlanAnswer {
  status: PlanStatus;
  note: string | null;
  created_by: string | null;
  approved_by: string | null;
  created_at: string;
  confirm_by: string | null;
  /** When a scheduled plan is applied. */
  activate_at: string | null;
  /** Why it could not be applied at its time. */
  failure?: { code: string; message: string };
}

/** Whether a plan waits for a second administrator. */
export function waitsForApproval({ status, requires_approval }: Pick<StoredPlan, "status" | "requires_approval">): boolean {
  return status === "ready" && requires_approval;
}
