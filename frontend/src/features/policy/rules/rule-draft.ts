import type { AclRule, Protocol, Verdict } from "@/api/tables";
import { changedColumns } from "@/lib/contested";
import { listOf } from "@/lib/list";
import { endFault, portsFault, withNames } from "@/lib/selectors";
import { localInput } from "@/lib/time";
import { days, daysOf, hoursOf, type Day } from "./conditions";

/** A rule as its form holds it. Times of validity are local, as the browser's own field gives them. */
export interface RuleDraft {
  name: string;
  description: string;
  source: string;
  destination: string;
  protocol: Protocol;
  ports: string;
  action: Verdict;
  priority: string;
  from: string;
  until: string;
  days: Day[];
  timezone: string;
  countries: string;
  systems: string[];
  posture: boolean;
  pqc: boolean;
  startsAt: string;
  expiresAt: string;
}

export type RuleValues = Partial<Record<string, unknown>>;

export const blankRule: RuleDraft = {
  name: "",
  description: "",
  source: "",
  destination: "",
  protocol: "*",
  ports: "*",
  action: "allow",
  priority: "100",
  from: "",
  until: "",
  days: [],
  timezone: "UTC",
  countries: "",
  systems: [],
  posture: false,
  pqc: false,
  startsAt: "",
  expiresAt: "",
};

export function draftOf(rule: AclRule, nameOf: (id: string) => string | undefined): RuleDraft {
  const [from, until] = hoursOf(rule.time_hour);
  return {
    name: rule.name,
    description: rule.description ?? "",
    source: withNames(rule.source, nameOf),
    destination: withNames(rule.destination, nameOf),
    protocol: rule.protocol,
    ports: rule.ports,
    action: rule.action,
    priority: String(rule.priority),
    from,
    until,
    days: daysOf(rule.day_of_week),
    timezone: rule.timezone,
    countries: rule.source_country?.join(", ") ?? "",
    systems: rule.source_os ?? [],
    posture: rule.require_posture,
    pqc: rule.require_pqc,
    startsAt: localInput(rule.starts_at),
    expiresAt: localInput(rule.expires_at),
  };
}

/** What the form calls its fields. */
export const labels: Record<keyof RuleDraft, string> = {
  name: "Name",
  description: "Note",
  source: "Source",
  destination: "Destination",
  protocol: "Protocol",
  ports: "Ports",
  action: "Action",
  priority: "Priority",
  from: "From",
  until: "Until",
  days: "Days",
  timezone: "Time zone",
  countries: "Country of the source",
  systems: "System of the source",
  posture: "Healthy source",
  pqc: "Post-quantum tunnels",
  startsAt: "Begins",
  expiresAt: "Ends",
};

/** The columns of a rule that a form stands for. */
export function valuesOf(draft: RuleDraft): RuleValues {
  return {
    name: draft.name.trim(),
    description: draft.description.trim() || null,
    source: draft.source.trim(),
    destination: draft.destination.trim(),
    protocol: draft.protocol,
    ports: draft.protocol === "icmp" ? "*" : draft.ports.replaceAll(/\s/g, ""),
    action: draft.action,
    priority: Number(draft.priority),
    time_hour: draft.from || draft.until ? `${draft.from || "00:00"}-${draft.until || "24:00"}` : null,
    day_of_week: draft.days.length > 0 && draft.days.length < days.length ? days.filter((day) => draft.days.includes(day)).join(",") : null,
    timezone: draft.timezone.trim() || "UTC",
    source_country: draft.countries.trim() ? listOf(draft.countries.toUpperCase()) : null,
    source_os: draft.systems.length > 0 ? draft.systems : null,
    require_posture: draft.posture,
    require_pqc: draft.pqc,
    starts_at: moment(draft.startsAt),
    expires_at: moment(draft.expiresAt),
  };
}

/** The columns in which one form differs from another. */
export function changedValues(before: RuleDraft, after: RuleDraft): RuleValues {
  return changedColumns(valuesOf(before), valuesOf(after));
}

/** What shows to be wrong before anybody is asked, by the column it is about. */
export function faultsOf(draft: RuleDraft, now: number): Partial<Record<string, string>> {
  const faults: Record<string, string | null> = {
    source: endFault(draft.source),
    destination: endFault(draft.destination),
    ports: draft.protocol === "icmp" ? null : portsFault(draft.ports),
    time_hour: draft.from && draft.from === draft.until ? "It begins where it ends. Leave both empty for the whole day." : null,
    source_country: listOf(draft.countries).every((code) => /^[a-z]{2}$/i.test(code)) ? null : "Two letters a country, such as DE, IN.",
    expires_at: draft.expiresAt && Date.parse(draft.expiresAt) <= now ? "This moment has passed." : null,
  };
  return Object.fromEntries(Object.entries(faults).filter((pair): pair is [string, string] => pair[1] !== null));
}

function moment(local: string): string | null {
  return local ? new Date(local).toISOString() : null;
}
