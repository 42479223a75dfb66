import type { AclRule } from "@/api/tables";

export const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof days)[number];

export const dayNames = { mon: "Mon", tue: "Tue", wed: "Wed", thu: "Thu", fri: "Fri", sat: "Sat", sun: "Sun" } as const;

export const systems = { linux: "Linux", darwin: "macOS", windows: "Windows" } as const;

/** The days of `mon-fri` or `fri-mon,wed`, in the order of the week; what is no day is left out. */
export function daysOf(text: string | null): Day[] {
  const found = new Set<Day>();
  for (const entry of (text ?? "").split(",")) {
    const [first, last = first] = entry.trim().split("-");
    const low = days.indexOf(first as Day);
    const high = days.indexOf(last as Day);
    if (low < 0 || high < 0) continue;
    const length = ((high - low + days.length) % days.length) + 1;
    for (let step = 0; step < length; step++) found.add(days[(low + step) % days.length] as Day);
  }
  return days.filter((day) => found.has(day));
}

/** The hours of `09-18` or `22:30-06:00` as times of the day, two empty texts for none. */
export function hoursOf(text: string | null): [start: string, end: string] {
  const [start = "", end = ""] = (text ?? "").split("-");
  return [clock(start), clock(end)];
}

// A day's end is 24:00 in a rule and 00:00 for a clock.
function clock(hour: string): string {
  if (!hour) return "";
  const text = hour.includes(":") ? hour : `${hour}:00`;
  return text === "24:00" ? "00:00" : text;
}

export type ConditionKind = "time" | "country" | "os" | "posture" | "pqc";

/** What a rule asks beyond ends, protocol and ports, a text each. */
export function conditionsOf(rule: Pick<AclRule, "time_hour" | "day_of_week" | "timezone" | "source_country" | "source_os" | "require_posture" | "require_pqc">) {
  const found: { kind: ConditionKind; text: string }[] = [];
  if (rule.time_hour ?? rule.day_of_week) {
    const hours = rule.time_hour ? hoursOf(rule.time_hour).join("–") : null;
    const zone = rule.timezone === "UTC" ? "UTC" : rule.timezone.replaceAll("_", " ");
    found.push({ kind: "time", text: [hours, rule.day_of_week?.replaceAll("-", "–"), hours && zone].filter(Boolean).join(" ") });
  }
  if (rule.source_country?.length) found.push({ kind: "country", text: `from ${rule.source_country.join(", ")}` });
  if (rule.source_os?.length) found.push({ kind: "os", text: rule.source_os.map((os) => (systems as Partial<Record<string, string>>)[os] ?? os).join(", ") });
  if (rule.require_posture) found.push({ kind: "posture", text: "healthy devices" });
  if (rule.require_pqc) found.push({ kind: "pqc", text: "post-quantum tunnels" });
  return found;
}
