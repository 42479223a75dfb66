import type { PosturePoint } from "@/api/answers";

/** A stretch of time in one state; start and end as shares of the whole. */
export interface Span {
  start: number;
  end: number;
  compliant: boolean;
  violations: string[];
  at: string;
}

/** The states between two moments: each lasts until the next point, the last until the end. */
export function spansOf(points: readonly PosturePoint[], from: number, until: number): Span[] {
  const share = (moment: number) => Math.min(1, Math.max(0, (moment - from) / (until - from)));
  const ordered = [...points].sort((a, b) => a.at.localeCompare(b.at));
  return ordered
    .map((point, i) => {
      const next = ordered[i + 1];
      return { start: share(Date.parse(point.at)), end: next ? share(Date.parse(next.at)) : 1, compliant: point.compliant, violations: point.violations, at: point.at };
    })
    .filter(({ start, end }) => end > start);
}
