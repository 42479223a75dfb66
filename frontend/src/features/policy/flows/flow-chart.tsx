import { Ban, Check } from "lucide-react";
import { useId, useMemo } from "react";
import { localTime, plural } from "@/lib/time";
import { barsInWords, barsOf, heightOf, type Bar } from "./bars";
import type { Flow } from "./queries";

const HEIGHT = 96;
// Of the room a bar has; the rest keeps it apart from the next.
const FILLED = 0.78;

interface Props {
  flows: readonly Flow[];
  span: { from: number; to: number };
  /** Whether older flows of the period are not loaded yet. */
  partial: boolean;
}

/** Connections over time, allowed and denied on top of each other. */
export function FlowChart({ flows, span, partial }: Props) {
  const bars = useMemo(() => barsOf(flows, span), [flows, span]);
  const most = Math.max(1, ...bars.map(heightOf));
  const timeOf = (moment: number) => localTime(new Date(moment).toISOString(), span.to).replace(/:00(?=\D*$)/, "");
  const total = bars.reduce((sum, bar) => sum + heightOf(bar), 0);
  return (
    <figure className="mb-4 rounded-2xl border border-line bg-surface px-4 pt-3 pb-2.5 shadow-card">
      <figcaption className="mb-2 flex flex-wrap items-center justify-between gap-x-4 gap-y-1 text-[0.83rem]">
        <span>
          <span className="font-medium">{plural(total, "connection")}</span>
          <span className="text-muted">{partial ? " loaded so far; older ones are further down" : ` in ${plural(flows.length, "entry", "entries")}`}</span>
        </span>
        <Legend />
      </figcaption>
      <div className="relative">
        <Bars bars={bars} most={most} words={barsInWords(bars, timeOf)} timeOf={timeOf} />
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

function Legend() {
  return (
    <span aria-hidden className="flex gap-3.5 text-[0.8rem] [&_svg]:size-3.5">
      <span className="inline-flex items-center gap-1 text-blue">
        <Check /> allowed
      </span>
      <span className="inline-flex items-center gap-1 text-red">
        <Ban /> denied, striped
      </span>
    </span>
  );
}

interface BarsProps {
  bars: readonly Bar[];
  most: number;
  words: string;
  timeOf: (moment: number) => string;
}

function Bars({ bars, most, words, timeOf }: BarsProps) {
  const stripes = useId();
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
