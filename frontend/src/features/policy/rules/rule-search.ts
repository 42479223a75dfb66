import type { AclRule, Verdict } from "@/api/tables";
import { textParam } from "@/lib/search-params";

export type RuleTab = "rules" | "json";
export type RuleState = keyof typeof states;

/** What the rules page shows, as its URL says it. */
export interface RuleSearch {
  tab?: "json";
  q?: string;
  action?: Verdict;
  state?: RuleState;
}

export const states = {
  on: "Enabled",
  off: "Disabled",
  timed: "With an end",
  unresolved: "Unknown names",
  jit: "Just in time",
} as const;
const DAY = 24 * 60 * 60 * 1000;

export function readRuleSearch(search: Record<string, unknown>): RuleSearch {
  return {
    tab: search.tab === "json" ? "json" : undefined,
    q: textParam(search.q),
    action: search.action === "allow" || search.action === "deny" ? search.action : undefined,
    state: typeof search.state === "string" && Object.hasOwn(states, search.state) ? (search.state as RuleState) : undefined,
  };
}

export function isNarrowed({ q, action, state }: RuleSearch): boolean {
  return [q, action, state].some((filter) => filter !== undefined);
}

/** The rules that match; nameOf lets a machine be found by its name where a rule holds its id. */
export function narrowed(rules: readonly AclRule[], { q, action, state }: RuleSearch, nameOf: (end: string) => string): AclRule[] {
  const wanted = q?.toLowerCase();
  return rules.filter(
    (rule) =>
      (action === undefined || rule.action === action) &&
      (state === undefined || isIn(rule, state)) &&
      (wanted === undefined || [rule.name, rule.description ?? "", nameOf(rule.source), nameOf(rule.destination), rule.ports].some((text) => text.toLowerCase().includes(wanted))),
  );
}

function isIn(rule: AclRule, state: RuleState): boolean {
  switch (state) {
    case "on":
      return rule.enabled;
    case "off":
      return !rule.enabled;
    case "timed":
      return rule.expires_at !== null;
    case "unresolved":
      return rule.unresolved.length > 0;
    case "jit":
      return rule.jit_grant_id !== null;
  }
}

/** Where a rule stands in its life: not yet, over, over within a day, or nothing to tell. */
export function lifeOf({ starts_at, expires_at }: Pick<AclRule, "starts_at" | "expires_at">, now: number): "waiting" | "over" | "ending" | null {
  if (expires_at !== null && Date.parse(expires_at) <= now) return "over";
  if (starts_at !== null && Date.parse(starts_at) > now) return "waiting";
  return expires_at !== null && Date.parse(expires_at) - now < DAY ? "ending" : null;
}
