import { clsx } from "clsx";
import { Minus, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { Button } from "../ui/button";
import { serviceOf } from "@/lib/selectors";
import { plural } from "@/lib/time";
import { graphOf, sideLabel, trimmed, type Bundle, type FlowChange, type Side } from "./flow-layout";

const SHOWN = 8;
const ROW = 46;
const GAP_WIDTH = 100;
const mostListed = 200;

/** Who will reach whom, drawn: what is gained in green, what is lost in red and dashed. The same stands below as a list. */
export function FlowPicture({ flows }: { flows: readonly FlowChange[] }) {
  const [gained, lost] = useMemo(() => (["gained", "lost"] as const).map((change) => flows.filter((flow) => flow.change === change)), [flows]);
  return (
    <figure className="grid gap-3">
      <Half flows={gained ?? []} change="gained" />
      <Half flows={lost ?? []} change="lost" />
      <FlowList flows={flows} />
    </figure>
  );
}

// Drawn apart: machines that gain alike need not lose alike, and one picture of both would be a tangle.
function Half({ flows, change }: { flows: readonly FlowChange[]; change: FlowChange["change"] }) {
  const [all, setAll] = useState(false);
  const graph = useMemo(() => graphOf(flows), [flows]);
  const { icon: Icon, text } = looks[change];
  if (flows.length === 0) return null;
  const { sources, destinations, bundles, hidden } = trimmed(graph, all ? Infinity : SHOWN);
  const height = Math.max(sources.length, destinations.length, bundles.length) * ROW;
  const at = (index: number, of: number) => ((index + 0.5) * height) / of;
  const links = (side: "sources" | "destinations", of: number) => bundles.flatMap((bundle, i) => bundle[side].map((node) => ({ node: at(node, of), pill: at(i, bundles.length) })));
  return (
    <div>
      <p className={clsx("mb-1.5 inline-flex items-center gap-1.5 text-[0.87rem] font-medium", text)}>
        <Icon className="size-4" aria-hidden /> {plural(flows.length, "flow")} {change}
      </p>
      <div className="grid grid-cols-[minmax(0,1fr)_1.25rem_auto_1.25rem_minmax(0,1fr)] rounded-xl bg-sunken p-2 sm:grid-cols-[minmax(0,1fr)_4rem_auto_4rem_minmax(0,1fr)] sm:p-3.5" aria-hidden>
        <Column height={height} items={sources.map((side) => <Node key={side.key} side={side} />)} />
        <Links change={change} height={height} links={links("sources", sources.length).map(({ node, pill }) => ({ from: node, to: pill }))} />
        <Column height={height} items={bundles.map((bundle) => <Pill key={bundle.key} bundle={bundle} />)} />
        <Links change={change} height={height} links={links("destinations", destinations.length).map(({ node, pill }) => ({ from: pill, to: node }))} />
        <Column height={height} items={destinations.map((side) => <Node key={side.key} side={side} />)} />
      </div>
      {hidden > 0 && (
        <Button tone="ghost" size="sm" className="mt-1" onClick={() => setAll(true)}>
          Show {plural(hidden, "more change")}
        </Button>
      )}
    </div>
  );
}

function Column({ height, items }: { height: number; items: React.ReactNode[] }) {
  return (
    <div className="grid min-w-0" style={{ height, gridTemplateRows: `repeat(${items.length}, minmax(0, 1fr))` }}>
      {items.map((item, i) => (
        <div key={i} className="flex min-w-0 items-center">
          {item}
        </div>
      ))}
    </div>
  );
}

function Node({ side }: { side: Side }) {
  return (
    <span title={side.names.join(", ")} className="min-w-0 flex-1 rounded-lg border border-line bg-surface px-1.5 py-1 text-[0.75rem] shadow-card sm:px-2.5 sm:text-[0.8rem]">
      <span className="block truncate font-medium">{sideLabel(side)}</span>
      {side.names.length > 1 && <span className="block truncate text-[0.72rem] leading-3.5 text-muted">{side.names.length} machines</span>}
    </span>
  );
}

const looks = {
  gained: { pill: "bg-green-soft text-green border-green", text: "text-green", line: "stroke-green", dash: undefined, icon: Plus },
  lost: { pill: "bg-red-soft text-red border-red border-dashed", text: "text-red", line: "stroke-red", dash: "6 5", icon: Minus },
} as const;

function Pill({ bundle }: { bundle: Bundle }) {
  const { pill, icon: Icon } = looks[bundle.change];
  return (
    <span className={clsx("inline-flex max-w-24 min-w-0 flex-1 items-center justify-center gap-1 rounded-full border px-1.5 py-0.75 font-mono text-[0.7rem] font-medium sm:max-w-48 sm:px-2.5 sm:text-[0.75rem]", pill)} title={bundle.service}>
      <Icon className="hidden size-3.5 shrink-0 sm:block" />
      <span className={clsx("truncate", bundle.change === "lost" && "line-through")}>{bundle.service}</span>
    </span>
  );
}

interface Link {
  from: number;
  to: number;
}

function Links({ change, height, links }: { change: FlowChange["change"]; height: number; links: Link[] }) {
  return (
    // Stretched to the width there is; strokes keep theirs.
    <svg viewBox={`0 0 ${GAP_WIDTH} ${height}`} preserveAspectRatio="none" className="h-full w-full" style={{ height }}>
      {links.map(({ from, to }, i) => (
        <path
          key={i}
          d={`M0 ${from} C${GAP_WIDTH / 2} ${from} ${GAP_WIDTH / 2} ${to} ${GAP_WIDTH} ${to}`}
          fill="none"
          vectorEffect="non-scaling-stroke"
          strokeWidth={2}
          strokeDasharray={looks[change].dash}
          className={looks[change].line}
        />
      ))}
    </svg>
  );
}

function FlowList({ flows }: { flows: readonly FlowChange[] }) {
  return (
    <details className="mt-2 text-[0.85rem]">
      <summary className="cursor-pointer rounded text-muted hover:text-ink">As a list</summary>
      <ul className="mt-1.5 max-h-56 overflow-y-auto rounded-lg border border-line px-3 py-2">
        {flows.slice(0, mostListed).map((flow) => (
          <li key={`${flow.change} ${flow.source.id} ${flow.destination.id} ${serviceOf(flow)}`} className={flow.change === "gained" ? "text-green" : "text-red"}>
            {flow.change === "gained" ? "+ " : "− "}
            <span className="text-ink">
              {flow.source.name} → {flow.destination.name}
            </span>{" "}
            <span className="font-mono text-[0.78rem]">{serviceOf(flow)}</span>
          </li>
        ))}
        {flows.length > mostListed && <li className="text-muted">and {plural(flows.length - mostListed, "more flow")}</li>}
      </ul>
    </details>
  );
}
