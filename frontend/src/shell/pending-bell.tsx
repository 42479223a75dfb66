import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bell } from "lucide-react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { pendingGrantsQuery } from "@/api/pending-grants";
import { pendingMachinesQuery } from "@/api/pending-machines";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";

/** What waits for an administrator: machines to approve, requests for access to decide. */
export function PendingBell() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("machines", "acl");
  const machines = useQuery({ ...pendingMachinesQuery(org.id), enabled: isAdmin }).data?.length ?? 0;
  const grants = useQuery({ ...pendingGrantsQuery(org.id), enabled: isAdmin }).data ?? 0;
  if (!isAdmin) return null;
  const count = machines + grants;
  const waiting = [machines > 0 && `${plural(machines, "machine")} pending approval`, grants > 0 && plural(grants, "access request")].filter(Boolean);
  const label = waiting.join(", ") || "Nothing waits for you";
  return (
    <Link
      {...(machines === 0 && grants > 0 ? { to: "/jit", search: { tab: "inbox" as const } } : { to: "/machines", search: { tab: machines > 0 ? ("pending" as const) : undefined } })}
      aria-label={label}
      title={label}
      className="relative grid size-9 place-items-center rounded-lg hover:bg-current/10"
    >
      <Bell className="size-4.5" aria-hidden />
      {count > 0 && (
        <span aria-hidden className="absolute top-0 right-0 grid h-4.5 min-w-4.5 place-items-center rounded-full bg-alert px-1 text-[0.7rem] font-semibold text-alert-ink">
          {count > 99 ? "99+" : count}
        </span>
      )}
    </Link>
  );
}
