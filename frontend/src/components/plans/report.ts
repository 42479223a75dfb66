import { nounOf } from "@/lib/table-nouns";
import { plural } from "@/lib/time";
import type { ConnectionCount } from "./connections";
import type { FlowChange } from "./flow-layout";
import type { Changes, PlannedTable } from "./queries";

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

/** One row that a plan changes, by its name; of a group also how many machines come and leave. */
export interface ChangedRow {
  table: string;
  id: string;
  name: string | null;
  change: "created" | "updated" | "deleted" | (string & {});
  columns: string[];
  machines_added: number;
  machines_removed: number;
}

export type PostureKind = "quarantined" | "released" | "restricted" | "unrestricted" | "failing" | "passing";

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
  /** The change as it was asked for. */
  changes?: Changes;
  /** Absent in plans that were made before a control plane told it. */
  changed?: ChangedRow[];
  posture?: Partial<Record<PostureKind, { count: number; machines: End[] }>>;
}

/** The rows and settings that a plan changes, each on one line: "Group eng: name; 2 machines join, 1 leaves". */
export function changeLines({ changed = [], changes = {} }: PlanAnswer): { id: string; change: string; text: string }[] {
  const rows = changed.map(({ table, id, name, change, columns, machines_added, machines_removed }, at) => {
    const moves = [machines_added > 0 && `${plural(machines_added, "machine")} ${machines_added === 1 ? "joins" : "join"}`, machines_removed > 0 && `${plural(machines_removed, "machine")} ${machines_removed === 1 ? "leaves" : "leave"}`];
    const what = [columns.map((column) => (column === "enabled" ? switchedTo(changes, table, id) : column.replaceAll("_", " "))).join(", "), moves.filter(Boolean).join(", ")].filter(Boolean).join("; ");
    return { id: `${at} ${id}`, change, text: `${nounOf(table)} ${name ?? id}${what && `: ${what}`}` };
  });
  const settings = Object.entries(changes.settings ?? {}).map(([name, value]) => ({ id: name, change: "updated", text: `Setting ${name.replaceAll("_", " ")}: ${typeof value === "boolean" ? (value ? "on" : "off") : value}` }));
  return [...rows, ...settings];
}

// Nobody asks for rows that are switched off along with what they name.
function switchedTo(changes: Changes, table: string, id: string): string {
  const asked = changes[table as PlannedTable]?.update?.find((row) => row.id === id);
  return asked?.enabled === true ? "enabled" : "disabled";
}

const postureTexts: Record<PostureKind, string> = {
  quarantined: "quarantined",
  released: "released from quarantine",
  restricted: "kept from tagged machines",
  unrestricted: "let to tagged machines again",
  failing: "found unhealthy",
  passing: "found healthy again",
};
const NAMED = 5;

// What happens to a machine says its verdict too.
const consequences: Partial<Record<PostureKind, readonly PostureKind[]>> = { failing: ["quarantined", "restricted"], passing: ["released", "unrestricted"] };

/** What becomes of machines by their health: "2 machines quarantined: db, web". */
export function postureLines({ posture = {} }: PlanAnswer): { kind: PostureKind; text: string }[] {
  return (Object.keys(postureTexts) as PostureKind[]).flatMap((kind) => {
    const told = new Set((consequences[kind] ?? []).flatMap((other) => posture[other]?.machines ?? []).map(({ id }) => id));
    const { count: all, machines: found } = posture[kind] ?? { count: 0, machines: [] };
    const machines = found.filter(({ id }) => !told.has(id));
    const count = all - (found.length - machines.length);
    if (machines.length === 0) return [];
    const names = machines.slice(0, NAMED).map(({ name }) => name);
    const more = count > names.length ? ` and ${count - names.length} more` : "";
    return [{ kind, text: `${plural(count, "machine")} ${postureTexts[kind]}: ${names.join(", ")}${more}` }];
  });
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
