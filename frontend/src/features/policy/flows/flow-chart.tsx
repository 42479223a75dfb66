import { useId, useMemo } from "react";
import type { Flow } from "@/api/answers";
import { localTime, plural } from "@/lib/time";
import { barsInWords, barsOf, heightOf, type Bar } from "./bars";

const HEIGHT = 96;
// Of the room a bar has; the rest keeps it apart from the next.
const FILLED = 0.78;

interface Props {
  flows: readonly Flow[];
  span: { from: number; to: number };
  /** Whether older flows of the period are not loaded yet. */
  partial: boolean;
}

/** Connections over time, denied and allowed on top of each other. */
export function FlowChart({ flows, span, partial }: Props) {
  const stripes = useId();
  const bars = useMemo(() => barsOf(flows, span), [flows, span]);
  const most = Math.max(1, ...bars.map(heightOf));
  const timeOf = (moment: number) => minuteOf(moment, span.to);
  const total = bars.reduce((sum, bar) => sum + heightOf(bar), 0);
  return (
    <figure className="mb-4 rounded-2xl border border-line bg-surface px-4 pt-3 pb-2.5 shadow-card">
      <figcaption className="mb-2 flex flex-wrap items-center justify-between gap-x-4 gap-y-1 text-[0.83rem]">
        <span>
          <span className="font-medium">{plural(total, "connection")}</span>
          {partial && <span className="text-muted"> loaded so far</span>}
        </span>
        <span aria-hidden className="flex gap-3.5 text-[0.8rem] text-muted">
          <Legend text="allowed" fill="var(--blue)" />
          <Legend text="denied" fill={`url(#${stripes})`} />
        </span>
      </figcaption>
      <div className="relative">
        <Bars bars={bars} most={most} words={barsInWords(bars, timeOf)} timeOf={timeOf} stripes={stripes} />
        <span aria-hidden className="absolute -top-1 left-0 bg-surface/85 pr-1 text-[0.72rem] text-muted tabular-nums">
          {most.toLocaleString()}
        </span>
      </div>
      <p aria-hidden className="mt-1 flex justify-between gap-4 text-[0.75rem] text-muted tabular-nums">
        <span>{timeOf(bars[0]?.from ?? span.from)}</span>
        <span>{timeOf(span.to)}</span>
      </p>
    </figure>
  );
}

/** Local time to the minute, with the date unless it is the last day of the picture. */
function minuteOf(moment: number, last: number): string {
  const date = new Date(moment);
  if (date.toDateString() !== new Date(last).toDateString()) return localTime(date.toISOString(), last);
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

function Legend({ text, fill }: { text: string; fill: string }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <svg className="size-3">
        <rect width="100%" height="100%" rx="2" fill={fill} />
      </svg>
      {text}
    </span>
  );
}

interface BarsProps {
  bars: readonly Bar[];
  most: number;
  words: string;
  timeOf: (moment: number) => string;
  /** The id that the pattern of denied connections gets. */
  stripes: string;
}

function Bars({ bars, most, words, timeOf, stripes }: BarsProps) {
  const room = 100 / bars.length;
  // Denied ones stand at the bottom and are never thinner than can be seen: they are what one looks for.
  const scaled = (count: number) => (count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 2)));
  return (
    <svg role="img" aria-label={words} width="100%" height={HEIGHT} className="block">
      <defs>
        <pattern id={stripes} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="6" height="6" className="fill-red-soft" />
          <rect width="3.2" height="6" className="fill-red" />
        </pattern>
      </defs>
      <line x1="0" x2="100%" y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className="stroke-line" />
      {bars.map((bar, i) => {
        if (heightOf(bar) === 0) return null;
        const denied = scaled(bar.denied);
        const allowed = Math.min(scaled(bar.allowed), HEIGHT - denied);
        const place = { x: `${(i + (1 - FILLED) / 2) * room}%`, width: `${FILLED * room}%` };
        return (
          <g key={bar.from}>
            <title>{`${timeOf(bar.from)} to ${timeOf(bar.until)}: ${bar.allowed} allowed, ${bar.denied} denied`}</title>
            <rect {...place} y={HEIGHT - denied - allowed} height={allowed} className="fill-blue" />
            <rect {...place} y={HEIGHT - denied} height={denied} fill={`url(#${stripes})`} />
          </g>
        );
      })}
    </svg>
  );
}
