import { createColumnHelper } from "@tanstack/react-table";
import type { AuthKey } from "@/api/tables";
import { Timestamp } from "@/components/timestamp";
import { Badge, type Colour } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { TagBadges } from "../status";

const column = createColumnHelper<AuthKey>();

export function authKeyColumns(onRevoke: ((key: AuthKey) => void) | undefined) {
  return [
    column.accessor("name", {
      header: "Name",
      cell: ({ row: { original: key } }) => (
        <div className="min-w-0">
          <p className="font-medium">{key.name}</p>
          <p className="font-mono text-[0.8rem] text-muted">{key.key_prefix}</p>
        </div>
      ),
    }),
    column.display({
      id: "kind",
      header: "Kind",
      meta: { className: "hidden md:table-cell" },
      cell: ({ row: { original: key } }) => (
        <span className="flex flex-wrap gap-1">
          <Badge>{key.reusable ? "Reusable" : "One-time"}</Badge>
          {key.ephemeral && <Badge outlined>Ephemeral</Badge>}
          {key.pre_approved && <Badge colour="green">Pre-approved</Badge>}
          <TagBadges tags={key.tags ?? []} most={2} />
        </span>
      ),
    }),
    column.accessor("used_count", {
      header: "Used",
      meta: { className: "hidden sm:table-cell tabular-nums" },
      cell: ({ row: { original: key } }) => (key.max_uses ? `${key.used_count} / ${key.max_uses}` : key.used_count),
    }),
    column.accessor("expires_at", {
      header: "Expires",
      meta: { className: "hidden lg:table-cell" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.display({
      id: "state",
      header: "State",
      cell: ({ row: { original } }) => {
        const { colour, text } = stateOf(original, Date.now());
        return <Badge colour={colour}>{text}</Badge>;
      },
    }),
    column.display({
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      meta: { className: "text-right" },
      cell: ({ row: { original } }) =>
        onRevoke &&
        !original.revoked && (
          <Button size="sm" onClick={() => onRevoke(original)} aria-label={`Revoke ${original.name}`}>
            Revoke
          </Button>
        ),
    }),
  ];
}

export function stateOf(key: AuthKey, now: number): { colour: Colour; text: string } {
  if (key.revoked) return { colour: "red", text: "Revoked" };
  if (key.expired || Date.parse(key.expires_at) <= now) return { colour: "grey", text: "Expired" };
  const spent = key.reusable ? key.max_uses !== null && key.used_count >= key.max_uses : key.used_count > 0;
  return spent ? { colour: "grey", text: "Used" } : { colour: "green", text: "Active" };
}
