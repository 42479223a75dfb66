import { createColumnHelper } from "@tanstack/react-table";
import { ArrowRight } from "lucide-react";
import type { Flow } from "@/api/answers";
import type { EndNames } from "@/components/end-chips";
import { Timestamp } from "@/components/timestamp";
import { ActionBadge } from "../rules/action-badge";
import { End, endText, RuleText, Service, Traffic } from "./flow-text";

const column = createColumnHelper<Flow>();
// A share of the width whatever the text, which is cut off.
const END_CLASS = "hidden sm:table-cell w-[25%] max-w-0";

function TimeButton({ flow, onOpen }: { flow: Flow; onOpen: (flow: Flow) => void }) {
  return (
    <button type="button" onClick={() => onOpen(flow)} className="relative rounded text-left hover:text-accent" title="Show details">
      <Timestamp at={flow.at} />
      <span className="sr-only">, show details</span>
    </button>
  );
}

export function flowColumns(names: EndNames, onOpen: (flow: Flow) => void) {
  return [
    column.accessor("at", { header: "Time", meta: { className: "hidden sm:table-cell" }, cell: ({ row: { original } }) => <TimeButton flow={original} onOpen={onOpen} /> }),
    // Small screens: one column instead of four.
    column.display({
      id: "flow",
      header: "Flow",
      meta: { className: "w-full max-w-0 sm:hidden" },
      cell: ({ row: { original } }) => (
        <>
          <span className="flex items-center gap-1.5 font-medium">
            <span className="max-w-[45%] shrink-0 truncate">{endText(original.source)}</span>
            <ArrowRight className="size-3.5 shrink-0 text-muted" aria-label="to" />
            <span className="truncate">{endText(original.destination)}</span>
          </span>
          <span className="flex gap-2.5 text-[0.8rem] text-muted">
            <TimeButton flow={original} onOpen={onOpen} />
            <Service flow={original} />
          </span>
        </>
      ),
    }),
    column.accessor("source", { header: "Source", meta: { className: END_CLASS }, cell: ({ getValue }) => <End end={getValue()} /> }),
    column.accessor("destination", { header: "Destination", meta: { className: END_CLASS }, cell: ({ getValue }) => <End end={getValue()} /> }),
    column.display({ id: "service", header: "Service", meta: { className: "hidden sm:table-cell" }, cell: ({ row: { original } }) => <Service flow={original} /> }),
    column.accessor("verdict", { header: "Verdict", cell: ({ getValue }) => <ActionBadge action={getValue()} /> }),
    column.display({
      id: "rule",
      header: "Rule",
      meta: { className: "hidden lg:table-cell w-[20%] max-w-0" },
      cell: ({ row: { original } }) => (
        <span className="line-clamp-2">
          <RuleText flow={original} names={names} />
        </span>
      ),
    }),
    column.accessor("bytes", { header: "Traffic", meta: { className: "hidden md:table-cell text-right" }, cell: ({ row: { original } }) => <Traffic flow={original} /> }),
  ];
}
