import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bell } from "lucide-react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { pendingMachinesQuery } from "@/api/pending-machines";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";

/** What waits for an administrator: machines to approve. */
export function PendingBell() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("machines");
  const { data } = useQuery({ ...pendingMachinesQuery(org.id), enabled: isAdmin });
  if (!isAdmin) return null;
  const count = data?.length ?? 0;
  const label = count ? `${plural(count, "machine")} pending approval` : "Nothing waits for you";
  return (
    <Link
      to="/machines"
      search={{ tab: count ? "pending" : undefined }}
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
