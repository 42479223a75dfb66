import type { AbacPolicy, Attributes, Role } from "@/api/tables";
import { listOf } from "@/lib/list";
import { endFault, withNames } from "@/lib/selectors";
import { days, daysOf, hoursOf, type Day } from "../rules/conditions";

/** An attribute policy as its form holds it. */
export interface AbacDraft {
  name: string;
  effect: AbacPolicy["effect"];
  selector: string;
  priority: string;
  from: string;
  until: string;
  days: Day[];
  timezone: string;
  countries: string;
  systems: string[];
  tags: string;
  roles: Role[];
  posture: "" | "compliant" | "non_compliant";
  networks: string;
}

export const blankAbac: AbacDraft = {
  name: "",
  effect: "require",
  selector: "*",
  priority: "100",
  from: "",
  until: "",
  days: [],
  timezone: "UTC",
  countries: "",
  systems: [],
  tags: "",
  roles: [],
  posture: "",
  networks: "",
};

/** What the form calls its fields. */
export const labels: Record<keyof AbacDraft, string> = {
  name: "Name",
  effect: "Effect",
  selector: "Sources",
  priority: "Priority",
  from: "From",
  until: "Until",
  days: "Days",
  timezone: "Time zone",
  countries: "Countries",
  systems: "System",
  tags: "Tags",
  roles: "Role of the owner",
  posture: "Health",
  networks: "Networks",
};

export function draftOf({ name, effect, selector, priority, conditions }: AbacPolicy, nameOf: (id: string) => string | undefined): AbacDraft {
  const [from, until] = hoursOf(conditions.time_hour ?? null);
  const { posture } = conditions;
  return {
    name,
    effect,
    selector: withNames(selector, nameOf),
    priority: String(priority),
    from,
    until,
    days: daysOf(conditions.day_of_week ?? null),
    timezone: conditions.timezone ?? "UTC",
    countries: (conditions.country ?? []).join(", "),
    systems: conditions.os ?? [],
    tags: (conditions.tags ?? []).join(", "),
    roles: conditions.roles ?? [],
    posture: posture === true || posture === "compliant" ? "compliant" : posture === false || posture === "non_compliant" ? "non_compliant" : "",
    networks: (conditions.network ?? []).join(", "),
  };
}

/** The columns that a form stands for; an attribute that is not asked is left out. */
export function valuesOf(draft: AbacDraft) {
  const timed = draft.from !== "" || draft.until !== "";
  const someDays = draft.days.length > 0 && draft.days.length < days.length;
  const conditions: Attributes = {
    ...(timed && { time_hour: `${draft.from || "00:00"}-${draft.until || "24:00"}` }),
    ...(someDays && { day_of_week: days.filter((day) => draft.days.includes(day)).join(",") }),
    ...((timed || someDays) && { timezone: draft.timezone.trim() || "UTC" }),
    ...(draft.countries.trim() && { country: listOf(draft.countries.toUpperCase()) }),
    ...(draft.systems.length > 0 && { os: draft.systems }),
    ...(draft.tags.trim() && { tags: listOf(draft.tags) }),
    ...(draft.roles.length > 0 && { roles: draft.roles }),
    ...(draft.posture && { posture: draft.posture }),
    ...(draft.networks.trim() && { network: listOf(draft.networks) }),
  };
  return { name: draft.name.trim(), effect: draft.effect, selector: draft.selector.trim(), priority: Number(draft.priority), conditions };
}

export function faultsOf(draft: AbacDraft): Partial<Record<string, string>> {
  const faults: Record<string, string | null> = {
    selector: endFault(draft.selector),
    conditions: Object.keys(valuesOf(draft).conditions).length === 0 ? "Ask at least one attribute." : null,
  };
  return Object.fromEntries(Object.entries(faults).filter((pair): pair is [string, string] => pair[1] !== null));
}

/** What a policy asks of a source, a phrase each. */
export function attributesText({ time_hour, day_of_week, timezone, country, os, tags, roles, posture, network }: Attributes): string[] {
  const hours = time_hour ? hoursOf(time_hour).join("–") : null;
  return [
    time_hour || day_of_week ? [hours, day_of_week?.replaceAll("-", "–"), timezone ?? "UTC"].filter(Boolean).join(" ") : null,
    country?.length ? `in ${country.join(", ")}` : null,
    os?.length ? `on ${os.join(", ")}` : null,
    tags?.length ? `tagged ${tags.join(" or ")}` : null,
    roles?.length ? `owned by ${roles.join(" or ")}` : null,
    posture === true || posture === "compliant" ? "healthy" : posture === false || posture === "non_compliant" ? "not healthy" : null,
    network?.length ? `from ${network.join(", ")}` : null,
  ].filter((text): text is string => text !== null);
}
