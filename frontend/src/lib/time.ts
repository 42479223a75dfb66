const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How old a last sign of life is, in the four steps that decide its colour. */
export type Freshness = "fresh" | "recent" | "old" | "stale";

export function freshness(at: string | null, now: number): Freshness {
  if (at === null) return "stale";
  const age = now - Date.parse(at);
  if (age < 5 * MINUTE) return "fresh";
  if (age < HOUR) return "recent";
  return age < DAY ? "old" : "stale";
}

/** "just now", "4 min ago", "3 h ago", "12 days ago". */
export function ago(at: string, now: number): string {
  const age = Math.max(0, now - Date.parse(at));
  if (age < MINUTE) return "just now";
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  return plural(Math.floor(age / DAY), "day") + " ago";
}

/** Local time of the day for today, otherwise the date with it. */
export function localTime(at: string, now: number): string {
  const moment = new Date(at);
  const time = moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (moment.toDateString() === new Date(now).toDateString()) return time;
  return `${localDate(at)}, ${moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`;
}

export function localDate(at: string): string {
  return new Date(at).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** A moment as `datetime-local` takes it: local, to the minute. */
export function localInput(at: string | null): string {
  if (at === null) return "";
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The exact moment for hover texts: `2026-11-23 05:10:44 UTC`. */
export function utcTime(at: string): string {
  return new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

/** Whole days until the moment; negative once it has passed. */
export function daysUntil(at: string, now: number): number {
  return Math.floor((Date.parse(at) - now) / DAY);
}

/** Local midnight `daysAgo` days back, as the API takes times. */
export function localMidnight(now: number, daysAgo = 0): string {
  const day = new Date(now);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - daysAgo);
  return day.toISOString();
}

/** The last second of a local day (`2026-11-24`), as the API takes times. */
export function endOfDay(day: string): string {
  return new Date(`${day}T23:59:59`).toISOString();
}

export function addDays(at: string, days: number): string {
  return new Date(Date.parse(at) + days * DAY).toISOString();
}

export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? noun : many}`;
}

/** "240 ms", "1.2 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** What is left until the moment: "4:05", "3 h 20 min", "2 days 4 h"; "0:00" once it has come. */
export function timeLeft(until: string, now: number): string {
  const left = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000)) * 1000;
  const [days, hours, minutes] = [Math.floor(left / DAY), Math.floor((left % DAY) / HOUR), Math.floor((left % HOUR) / MINUTE)];
  if (days > 0) return `${plural(days, "day")} ${hours} h`;
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes}:${String((left % MINUTE) / 1000).padStart(2, "0")}`;
}
