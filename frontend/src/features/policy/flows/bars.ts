import type { Flow } from "@/api/answers";

export interface Bar {
  /** Moments in ms; `until` is the next bar's beginning. */
  from: number;
  until: number;
  allowed: number;
  denied: number;
}

const MINUTE = 60_000;
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((minutes) => minutes * MINUTE);
const MOST_BARS = 48;
const DAY = 24 * 60 * MINUTE;

/** Connections over time, one bar a step. Bars begin at round local times; flows outside the span are left out. */
export function barsOf(flows: readonly Pick<Flow, "at" | "verdict" | "count">[], span: { from: number; to: number }): Bar[] {
  const offset = new Date(span.to).getTimezoneOffset() * MINUTE;
  const step = stepFor(span.to - span.from);
  const first = Math.floor((span.from - offset) / step) * step + offset;
  const count = Math.max(1, Math.floor((span.to - first) / step) + 1);
  const bars: Bar[] = Array.from({ length: count }, (_, i) => ({ from: first + i * step, until: first + (i + 1) * step, allowed: 0, denied: 0 }));
  for (const { at, verdict, count: connections } of flows) {
    const bar = bars[Math.floor((Date.parse(at) - first) / step)];
    if (bar) bar[verdict === "allow" ? "allowed" : "denied"] += connections;
  }
  return bars;
}

function stepFor(length: number): number {
  // Beyond the longest step, whole days.
  return steps.find((step) => length / step <= MOST_BARS) ?? Math.ceil(length / MOST_BARS / DAY) * DAY;
}

/** The picture in words, for those who do not see it. */
export function barsInWords(bars: readonly Bar[], timeOf: (moment: number) => string): string {
  const allowed = bars.reduce((sum, bar) => sum + bar.allowed, 0);
  const denied = bars.reduce((sum, bar) => sum + bar.denied, 0);
  const busiest = bars.reduce<Bar | undefined>((most, bar) => (most && heightOf(most) >= heightOf(bar) ? most : bar), undefined);
  const [first, last] = [bars[0], bars.at(-1)];
  if (!first || !last || !busiest || allowed + denied === 0) return "No connections in this time.";
  return (
    `${allowed.toLocaleString()} allowed and ${denied.toLocaleString()} denied connections from ${timeOf(first.from)} to ${timeOf(last.until)}; ` +
    `most from ${timeOf(busiest.from)}: ${busiest.allowed.toLocaleString()} allowed, ${busiest.denied.toLocaleString()} denied.`
  );
}

export function heightOf({ allowed, denied }: Bar): number {
  return allowed + denied;
}
