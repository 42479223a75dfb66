import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";
import { orgKey } from "@/api/keys";
import type { Verdict } from "@/api/tables";

export interface Question {
  source_machine_id: string;
  destination_machine_id: string;
  protocol: "tcp" | "udp" | "icmp" | "*";
  port?: number;
  at?: string;
}

interface RuleName {
  id: string;
  name: string;
  action: Verdict;
  priority: number;
}

export interface Evaluation {
  allowed: boolean;
  decision: Verdict;
  reason: string | null;
  message: string;
  matched_rule: RuleName | null;
  closest_rule: RuleName | null;
  evaluated_conditions: Record<string, { expected: string; actual: string; met: boolean }>;
  ports: { from: number; to: number; allowed: boolean; rule_id: string | null }[];
  posture_compliant: boolean;
  threat_blocked: boolean;
  source: { id: string; name: string; ip: string };
  destination: { id: string; name: string; ip: string };
  hypothetical: boolean;
  policy_version: number;
}

/** One flow judged by the policy in force. */
export function evaluationQuery(orgId: string, question: Question | null) {
  return queryOptions({
    queryKey: orgKey(orgId, "evaluation", question),
    enabled: question !== null,
    retry: false,
    queryFn: ({ signal }) => call<Evaluation>("/api/acl-evaluate", { method: "POST", body: { org_id: orgId, ...question }, signal }),
  });
}

/** The question that the fields make, once they are complete; no port asks about all of them. */
export function questionOf({ from, to, protocol, port, at }: { from: string; to: string; protocol: Question["protocol"]; port: string; at: string }): Question | null {
  const number = Number(port);
  if (!from || !to || !Number.isInteger(number) || number < 0 || number > 65_535) return null;
  return {
    source_machine_id: from,
    destination_machine_id: to,
    protocol,
    ...(port !== "" && protocol !== "icmp" && { port: number }),
    ...(at && { at: new Date(at).toISOString() }),
  };
}

/** Ports as ranges people read: "22, 8000–8100". */
export function portsText(ports: readonly { from: number; to: number }[]): string {
  return ports.map(({ from, to }) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
}
