import { createColumnHelper } from "@tanstack/react-table";
import { Check, Minus, X } from "lucide-react";
import type { NamedMachine } from "@/api/named";
import type { PostureReport } from "@/api/tables";
import { Badge } from "@/components/ui/badge";
import { useNow } from "@/lib/now";
import { ago, plural, utcTime } from "@/lib/time";
import { faultsOf } from "./requirements";

export interface PostureRow {
  id: string;
  machine: NamedMachine;
  report: PostureReport | null;
}

/** Whether the machine is online and has not renewed its report for a day. */
export function isStale({ machine, report }: PostureRow): boolean {
  return report?.stale === true && machine.status === "online";
}

const column = createColumnHelper<PostureRow>();

/** Yes, no, or that the machine could not tell. */
export function Reading({ value, name }: { value: boolean | null | undefined; name: string }) {
  if (value === true) return <Check className="size-4.5 text-green" aria-label={`${name}: yes`} />;
  if (value === false) return <X className="size-4.5 text-red" aria-label={`${name}: no`} />;
  return <Minus className="size-4.5 text-muted" aria-label={`${name}: unknown`} />;
}

export function postureColumns(onOpen: (row: PostureRow) => void) {
  return [
    column.accessor((row) => row.machine.name, {
      id: "machine",
      header: "Machine",
      cell: ({ row: { original } }) => (
        <div className="min-w-0">
          {original.report ? (
            <button type="button" className="max-w-full truncate rounded font-medium hover:text-accent hover:underline" onClick={() => onOpen(original)}>
              {original.machine.name}
            </button>
          ) : (
            <span className="font-medium">{original.machine.name}</span>
          )}
          <p className="truncate text-[0.8rem] text-muted">{original.report?.os_version ?? original.machine.os}</p>
        </div>
      ),
    }),
    column.display({
      id: "verdict",
      header: "Verdict",
      cell: ({ row: { original } }) => <Verdict row={original} />,
    }),
    column.display({
      id: "violations",
      header: "What is wrong",
      meta: { className: "hidden lg:table-cell w-full max-w-0" },
      cell: ({ row: { original } }) => <span className="block truncate text-muted">{original.report && faultsOf(original.report).map(({ title }) => title).join(", ")}</span>,
    }),
    ...(
      [
        ["Disk", "disk_encrypted"],
        ["Firewall", "firewall_enabled"],
        ["Antivirus", "antivirus_enabled"],
        ["Auto update", "auto_update"],
      ] as const
    ).map(([header, name]) =>
      column.display({
        id: name,
        header,
        meta: { className: "hidden md:table-cell" },
        cell: ({ row: { original } }) => original.report && <Reading name={header} value={original.report[name]} />,
      }),
    ),
    column.display({
      id: "age",
      header: "Reported",
      meta: { className: "hidden sm:table-cell" },
      cell: ({ row: { original } }) => original.report && <Age at={original.report.reported_at} />,
    }),
  ];
}

function Verdict({ row }: { row: PostureRow }) {
  const { report } = row;
  if (!report) return <Badge>never reported</Badge>;
  return (
    <span className="flex flex-wrap gap-1">
      {report.compliant ? <Badge colour="green">compliant</Badge> : <Badge colour="red">{plural(report.violations.length, "violation")}</Badge>}
      {isStale(row) && <StaleBadge at={report.reported_at} />}
    </span>
  );
}

/** That a report is old, and how old. */
export function StaleBadge({ at }: { at: string }) {
  const now = useNow();
  return (
    <Badge colour="orange" title={`The machine is online and last reported ${ago(at, now)}: it may not be so any more`}>
      stale, {ago(at, now)}
    </Badge>
  );
}

function Age({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={utcTime(at)} className="whitespace-nowrap text-muted tabular-nums">
      {ago(at, now)}
    </time>
  );
}
