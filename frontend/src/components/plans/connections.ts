import { serviceOf } from "@/lib/selectors";
import { plural } from "@/lib/time";
import type { PlanAnswer, PlannedFlow } from "./report";

/** What the machines said of their open connections, or that nobody has asked them. */
export type ConnectionCount =
  | { state: "unknown" }
  | {
      state: "asking" | "counted";
      connections: number;
      machines_asked: number;
      machines_answered: number;
      /** Whether everything that could be cut was asked about. */
      complete: boolean;
    };

export interface ConnectionsText {
  tone: "grey" | "green" | "orange";
  /** What stands out. */
  lead: string;
  /** Where the connections are. */
  flows: string;
  /** What the number leaves out. */
  limits: string;
}

const SHOWN = 5;

/** What a plan says of connections that it cuts; null when there is nothing to say. */
export function connectionsText({ live_connections: count, live_connections_cut: cut }: Pick<PlanAnswer, "live_connections" | "live_connections_cut">): ConnectionsText | null {
  if (count === undefined || count.state === "unknown") {
    return cut.length === 0 ? null : { tone: "orange", lead: `${plural(cut.length, "flow")} between machines that are online will be cut:`, flows: listed(cut), limits: "" };
  }
  if (count.state === "asking") return { tone: "grey", lead: "Counting open connections …", flows: "", limits: "" };
  const silent = count.machines_asked - count.machines_answered;
  const limits = [...(silent > 0 ? [`${plural(silent, "machine")} did not answer.`] : []), ...(count.complete ? [] : ["The network is too large to ask every machine."])].join(" ");
  if (count.connections === 0) {
    if (count.machines_asked === 0 && limits === "") return null;
    return { tone: count.machines_answered === 0 ? "grey" : "green", lead: count.machines_answered === 0 ? "Open connections are not known." : "No open connection will be cut.", flows: "", limits };
  }
  return { tone: "orange", lead: `${limits ? "At least " : ""}${plural(count.connections, "open connection")} will be cut:`, flows: listed(cut), limits };
}

function listed(cut: readonly PlannedFlow[]): string {
  const flows = cut.slice(0, SHOWN).map((flow) => {
    const service = serviceOf({ protocol: flow.protocol, ports: flow.ports ?? (flow.port ? String(flow.port) : "*") });
    return `${flow.source.name} → ${flow.destination.name} (${service}${flow.connections === undefined ? "" : `, ${flow.connections} open`})`;
  });
  return flows.join(", ") + (cut.length > SHOWN ? ` and ${cut.length - SHOWN} more` : "");
}
