import { createColumnHelper } from "@tanstack/react-table";
import { Trash2 } from "lucide-react";
import type { DnsName } from "@/api/answers";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";

/** A name in the table. recordId is null for names that machines make themselves. */
export interface RecordRow extends Omit<DnsName, "id"> {
  id: string;
  recordId: string | null;
}

const column = createColumnHelper<RecordRow>();

export function recordColumns(domain: string, onRemove: ((record: RecordRow) => void) | undefined) {
  return [
    column.accessor("name", {
      header: "Name",
      meta: { className: "w-full max-w-0 sm:w-auto sm:max-w-none" },
      cell: ({ row: { original } }) => {
        const { name, value } = original;
        const label = name.slice(0, -domain.length - 1);
        return (
          <div className="min-w-0">
            <p className="truncate" title={name}>
              <span className="font-medium">{label}</span>
              <span className="hidden text-muted sm:inline">.{domain}</span>
            </p>
            <p className="truncate font-mono text-[0.78rem] text-muted sm:hidden" title={value}>
              {value}
            </p>
          </div>
        );
      },
    }),
    column.accessor("type", { header: "Type", cell: ({ getValue }) => <Badge mono>{getValue()}</Badge> }),
    column.accessor("value", {
      header: "Value",
      meta: { className: "hidden w-full max-w-0 sm:table-cell" },
      cell: ({ getValue }) => (
        <span className="block truncate font-mono text-[0.82rem]" title={getValue()}>
          {getValue()}
        </span>
      ),
    }),
    column.accessor("source", {
      header: "Source",
      meta: { className: "hidden md:table-cell" },
      cell: ({ getValue }) => (getValue() === "custom" ? <Badge colour="violet">Custom</Badge> : <Badge colour="blue">Machine</Badge>),
    }),
    column.display({
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      meta: { className: "text-right" },
      cell: ({ row: { original } }) =>
        onRemove &&
        original.recordId !== null && (
          <Button tone="ghost" size="sm" onClick={() => onRemove(original)} aria-label={`Remove ${original.name} ${original.type}`}>
            <Trash2 />
          </Button>
        ),
    }),
  ];
}
