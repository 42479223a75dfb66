import { createColumnHelper } from "@tanstack/react-table";
import { RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import type { ApiKey } from "@/api/tables";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import type { KeyAction } from "./api-keys-page";

const column = createColumnHelper<ApiKey>();
const SCOPES_SHOWN = 3;

export function apiKeyColumns(onAsk: ((action: KeyAction) => void) | undefined) {
  return [
    column.accessor("name", {
      header: "Name",
      cell: ({ row: { original } }) => (
        <div className="min-w-0">
          <p className="font-medium">{original.name}</p>
          <p className="font-mono text-[0.8rem] text-muted">{original.key_prefix}</p>
        </div>
      ),
    }),
    column.accessor("scopes", {
      header: "Scopes",
      meta: { className: "hidden sm:table-cell" },
      cell: ({ getValue }) => <Scopes scopes={getValue()} />,
    }),
    column.accessor("rate_limit_rpm", {
      header: "Rate",
      meta: { className: "hidden lg:table-cell tabular-nums" },
      cell: ({ getValue }) => `${getValue()}/min`,
    }),
    column.accessor("usage_count", {
      header: "Calls",
      meta: { className: "hidden lg:table-cell tabular-nums" },
      cell: ({ getValue }) => getValue().toLocaleString(),
    }),
    column.accessor("last_used_at", {
      header: "Last used",
      meta: { className: "hidden xl:table-cell" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.accessor("expires_at", {
      header: "Expires",
      meta: { className: "hidden md:table-cell" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.display({
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      meta: { className: "text-right whitespace-nowrap" },
      cell: ({ row: { original: apiKey } }) =>
        onAsk && (
          <>
            <Button tone="ghost" size="icon" onClick={() => onAsk({ what: "rotate", apiKey })} aria-label={`Rotate ${apiKey.name}`} title="Rotate">
              <RotateCw />
            </Button>
            <Button tone="ghost" size="icon" onClick={() => onAsk({ what: "revoke", apiKey })} aria-label={`Revoke ${apiKey.name}`} title="Revoke">
              <Trash2 />
            </Button>
          </>
        ),
    }),
  ];
}

function Scopes({ scopes }: { scopes: string[] }) {
  const [open, setOpen] = useState(false);
  if (scopes.length === 0) return <Badge colour="orange">No access</Badge>;
  if (scopes.includes("admin")) return <Badge colour="red">Full Access</Badge>;
  const shown = open ? scopes : scopes.slice(0, SCOPES_SHOWN);
  return (
    <span className="flex flex-wrap items-center gap-1">
      {shown.map((scope) => (
        <Badge key={scope} mono colour="blue">
          {scope}
        </Badge>
      ))}
      {shown.length < scopes.length && (
        <button type="button" onClick={() => setOpen(true)} aria-label="Show all scopes" className="rounded-md">
          <Badge>+{scopes.length - shown.length}</Badge>
        </button>
      )}
    </span>
  );
}
