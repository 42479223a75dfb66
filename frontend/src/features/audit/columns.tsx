import { createColumnHelper } from "@tanstack/react-table";
import { Timestamp } from "@/components/timestamp";
import { ActionBadge, actorName, summary } from "./event-text";
import type { AuditEvent } from "@/api/answers";

const column = createColumnHelper<AuditEvent>();

export function auditColumns(onOpen: (event: AuditEvent) => void) {
  return [
    column.accessor("action", {
      header: "Action",
      cell: ({ row: { original } }) => (
        <button type="button" onClick={() => onOpen(original)} className="rounded-md" aria-label={`${original.action}, show details`}>
          <ActionBadge action={original.action} />
        </button>
      ),
    }),
    column.accessor("resource_type", {
      header: "Resource",
      meta: { className: "hidden sm:table-cell" },
      cell: ({ row: { original } }) => (
        <span className="whitespace-nowrap">
          {original.resource_type}
          {original.resource_id && <span className="ml-1.5 font-mono text-[0.77rem] text-muted">{original.resource_id.slice(0, 8)}</span>}
        </span>
      ),
    }),
    column.accessor("details", {
      header: "Details",
      meta: { className: "hidden lg:table-cell w-full max-w-0" },
      cell: ({ row: { original } }) => <span className="block truncate text-muted">{summary(original)}</span>,
    }),
    column.display({
      id: "actor",
      header: "Actor",
      meta: { className: "hidden md:table-cell" },
      cell: ({ row: { original } }) => <span className="whitespace-nowrap">{actorName(original)}</span>,
    }),
    column.accessor("created_at", {
      header: "Time",
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
  ];
}
