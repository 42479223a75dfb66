import { createColumnHelper } from "@tanstack/react-table";
import { ArrowDown } from "lucide-react";
import type { EndNames } from "@/components/end-chips";
import { Timestamp } from "@/components/timestamp";
import { ActionBadge } from "../rules/action-badge";
import { End, RuleText, serviceText, Traffic } from "./flow-text";
import type { Flow } from "./queries";

const column = createColumnHelper<Flow>();

export function flowColumns(names: EndNames, onOpen: (flow: Flow) => void) {
  return [
    column.accessor("at", {
      header: "Time",
      meta: { className: "align-top sm:align-middle" },
      cell: ({ row: { original } }) => (
        <button type="button" onClick={() => onOpen(original)} className="rounded text-left hover:text-accent" title="Show details">
          <Timestamp at={original.at} />
          <span className="sr-only">, show details</span>
        </button>
      ),
    }),
    // Small screens: both ends and the service above each other.
    column.display({
      id: "flow",
      header: "Flow",
      meta: { className: "sm:hidden" },
      cell: ({ row: { original } }) => (
        <span className="grid gap-0.5">
          <End end={original.source} />
          <span className="inline-flex items-center gap-1 font-mono text-[0.77rem] text-muted">
            <ArrowDown className="size-3" aria-hidden /> {serviceText(original)}
          </span>
          <End end={original.destination} />
        </span>
      ),
    }),
    column.accessor("source", { header: "Source", meta: { className: "hidden sm:table-cell" }, cell: ({ getValue }) => <End end={getValue()} /> }),
    column.accessor("destination", { header: "Destination", meta: { className: "hidden sm:table-cell" }, cell: ({ getValue }) => <End end={getValue()} /> }),
    column.display({
      id: "service",
      header: "Service",
      meta: { className: "hidden sm:table-cell" },
      cell: ({ row: { original } }) => <span className="font-mono text-[0.82rem] whitespace-nowrap">{serviceText(original)}</span>,
    }),
    column.accessor("verdict", { header: "Verdict", meta: { className: "align-top sm:align-middle" }, cell: ({ getValue }) => <ActionBadge action={getValue()} /> }),
    column.display({ id: "rule", header: "Rule", meta: { className: "hidden lg:table-cell" }, cell: ({ row: { original } }) => <RuleText flow={original} names={names} /> }),
    column.accessor("bytes", { header: "Traffic", meta: { className: "hidden md:table-cell text-right" }, cell: ({ row: { original } }) => <Traffic flow={original} /> }),
  ];
}
