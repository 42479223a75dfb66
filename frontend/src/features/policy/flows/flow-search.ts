import type { ValuesOf } from "@/api/act";
import type { Verdict } from "@/api/tables";
import { textParam } from "@/lib/search-params";

export type Period = keyof typeof periods;

/** What the flow log shows, as its URL says it. Without a period: the last 24 hours. */
export interface FlowSearch {
  period?: Period | "custom";
  /** Ends of a period of one's own, RFC 3339 in UTC. */
  from?: string;
  to?: string;
  verdict?: Verdict;
  /** A machine's id or an address. */
  source?: string;
  destination?: string;
  /** A rule's id. */
  rule?: string;
  /** `5432`, `tcp/5432` or `udp`. */
  service?: string;
}

const HOUR = 60 * 60 * 1000;
export const periods = { "1h": "Last hour", "7d": "Last 7 days", "30d": "Last 30 days" } as const;
export const DEFAULT_PERIOD = "Last 24 hours";
const hoursBack: Record<Period, number> = { "1h": 1, "7d": 7 * 24, "30d": 30 * 24 };
const LAST_PORT = 65_535;

export const noFilters: FlowSearch = { verdict: undefined, source: undefined, destination: undefined, rule: undefined, service: undefined };

export function readFlowSearch(search: Record<string, unknown>): FlowSearch {
  const period = periodOf(search.period);
  const service = textParam(search.service);
  return {
    period,
    from: period === "custom" ? momentOf(search.from) : undefined,
    to: period === "custom" ? momentOf(search.to) : undefined,
    verdict: search.verdict === "allow" || search.verdict === "deny" ? search.verdict : undefined,
    source: textParam(search.source),
    destination: textParam(search.destination),
    rule: textParam(search.rule),
    service: service && serviceFields(service) ? service : undefined,
  };
}

function periodOf(value: unknown): FlowSearch["period"] {
  if (value === "custom") return "custom";
  return typeof value === "string" && Object.hasOwn(periods, value) ? (value as Period) : undefined;
}

function momentOf(value: unknown): string | undefined {
  const moment = Date.parse(textParam(value) ?? "");
  return Number.isNaN(moment) ? undefined : new Date(moment).toISOString();
}

/** Whether anything but the period hides flows. */
export function isNarrowed(search: FlowSearch): boolean {
  return (Object.keys(noFilters) as (keyof FlowSearch)[]).some((name) => search[name] !== undefined);
}

/** The moments, in ms, between which flows are asked for. */
export function spanOf({ period, from, to }: FlowSearch, now: number): { from: number; to: number } {
  if (period !== "custom") return { from: now - (period ? hoursBack[period] : 24) * HOUR, to: now };
  const end = to ? Date.parse(to) : now;
  return { from: from ? Date.parse(from) : end - 24 * HOUR, to: end };
}

/** A period of one's own that begins as the one on screen. */
export function customFrom(search: FlowSearch, now: number): FlowSearch {
  const { from } = spanOf(search, now);
  return { period: "custom", from: new Date(Math.floor(from / 60_000) * 60_000).toISOString(), to: undefined };
}

/** Protocol and port of `5432`, `tcp/5432`, `udp`; null for what names none. */
export function serviceFields(text: string): { protocol?: string; port?: number } | null {
  const [, protocol, port] = /^(?:(tcp|udp|icmp)(?=\/|$))?\/?(\d{1,5})?$/i.exec(text.trim()) ?? [];
  if (protocol === undefined && port === undefined) return null;
  if (Number(port ?? 0) > LAST_PORT) return null;
  return { ...(protocol !== undefined && { protocol: protocol.toLowerCase() }), ...(port !== undefined && { port: Number(port) }) };
}

/** The fields of the call. Without an end the period runs until now, so that the newest flows are never cut off. */
export function requestOf(search: FlowSearch, now: number): ValuesOf<"policy", "flows_export"> {
  const { from } = spanOf(search, now);
  return {
    from: new Date(from).toISOString(),
    to: search.period === "custom" ? search.to : undefined,
    verdict: search.verdict,
    source: search.source,
    destination: search.destination,
    rule_id: search.rule,
    ...(search.service && serviceFields(search.service)),
  };
}
