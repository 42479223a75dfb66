import { createColumnHelper } from "@tanstack/react-table";
import { Link } from "@tanstack/react-router";
import type { Machine } from "@/api/tables";
import { Badge } from "@/components/ui/badge";
import { Copyable } from "@/components/copy";
import { useNow } from "@/lib/now";
import { keyExpiry } from "../key-expiry";
import { LastSeen, MachineMarks, StatusBadge, TagBadges } from "../status";
import { systems, type MachineSort } from "./machine-search";

const column = createColumnHelper<Machine>();
const by = (sort: MachineSort) => sort;

export function machineColumns(keyExpiryDays: number | undefined) {
  return [
    column.accessor("name", {
      header: "Name",
      meta: { sortBy: by("name") },
      cell: ({ row: { original } }) => <NameCell machine={original} />,
    }),
    column.accessor("tailnet_ip", {
      header: "Address",
      meta: { sortBy: by("tailnet_ip"), className: "hidden sm:table-cell" },
      cell: ({ row: { original } }) => (
        <div className="-my-1">
          <Copyable text={original.tailnet_ip} label="address" />
          {original.endpoints[0] && <p className="font-mono text-[0.77rem] text-muted">{original.endpoints[0]}</p>}
        </div>
      ),
    }),
    column.accessor("os", {
      header: "OS",
      meta: { sortBy: by("os"), className: "hidden lg:table-cell" },
      cell: ({ getValue }) => osName(getValue()),
    }),
    column.accessor("status", {
      header: "Status",
      meta: { sortBy: by("status") },
      cell: ({ getValue }) => <StatusBadge status={getValue()} />,
    }),
    column.display({
      id: "marks",
      header: "Marks",
      meta: { className: "hidden xl:table-cell" },
      cell: ({ row: { original } }) => (
        <span className="flex flex-wrap gap-1">
          <MachineMarks machine={original} />
        </span>
      ),
    }),
    column.display({
      id: "key",
      header: "Key expiry",
      meta: { className: "hidden xl:table-cell" },
      cell: ({ row: { original } }) => <KeyExpiryCell machine={original} days={keyExpiryDays} />,
    }),
    column.accessor("last_seen", {
      header: "Last seen",
      meta: { sortBy: by("last_seen"), className: "hidden md:table-cell" },
      cell: ({ row: { original } }) => <LastSeen machine={original} />,
    }),
  ];
}

export function osName(os: string): string {
  return (systems as Partial<Record<string, string>>)[os] ?? os;
}

function NameCell({ machine }: { machine: Machine }) {
  return (
    <div className="min-w-0">
      <span className="flex items-center gap-1.5">
        <Link to="/machines/$machineId" params={{ machineId: machine.id }} className="truncate rounded font-medium hover:text-accent hover:underline">
          {machine.name}
        </Link>
        <span className="hidden gap-1 sm:flex">
          <TagBadges tags={machine.tags} most={2} />
        </span>
      </span>
      <p className="truncate text-[0.8rem] text-muted">
        <span className="font-mono sm:hidden">{machine.tailnet_ip}</span>
        <span className="hidden sm:inline">{machine.magicdns_name}</span>
      </p>
    </div>
  );
}

function KeyExpiryCell({ machine, days }: { machine: Machine; days: number | undefined }) {
  const expiry = keyExpiry(machine, days, useNow(60_000));
  if (!expiry) return <span className="text-muted">–</span>;
  return expiry.colour === "grey" ? <span className="text-muted">{expiry.text}</span> : <Badge colour={expiry.colour}>{expiry.text}</Badge>;
}
