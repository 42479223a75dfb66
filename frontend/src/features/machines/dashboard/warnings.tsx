import { Link, type LinkProps } from "@tanstack/react-router";
import { ArrowRight, CircleAlert, Clock, KeyRound, type LucideIcon } from "lucide-react";
import { clsx } from "clsx";
import { useIsAdmin } from "@/api/current-org";
import { plural } from "@/lib/time";
import type { DashboardStats } from "./queries";

/** What an administrator should look at today. */
export function Warnings({ stats }: { stats: DashboardStats }) {
  if (!useIsAdmin()) return null;
  const { unresponsiveCount = 0, pendingCount, keysExpiringSoon = 0 } = stats;
  return (
    <>
      {unresponsiveCount > 0 && (
        <Warning tone="red" icon={CircleAlert} link={{ to: "/machines" }}>
          {plural(unresponsiveCount, "machine")} not heard from for too long
        </Warning>
      )}
      {pendingCount > 0 && (
        <Warning tone="yellow" icon={Clock} link={{ to: "/machines", search: { tab: "pending" } }}>
          {plural(pendingCount, "machine")} pending approval
        </Warning>
      )}
      {keysExpiringSoon > 0 && (
        <Warning tone="yellow" icon={KeyRound} link={{ to: "/settings/auth-keys" }}>
          {plural(keysExpiringSoon, "auth key")} {keysExpiringSoon === 1 ? "expires" : "expire"} within 7 days
        </Warning>
      )}
    </>
  );
}

interface WarningProps {
  tone: "red" | "yellow";
  icon: LucideIcon;
  link: LinkProps;
  children: React.ReactNode;
}

function Warning({ tone, icon: Icon, link, children }: WarningProps) {
  return (
    <Link
      {...link}
      className={clsx(
        "group flex items-center gap-3 rounded-2xl px-4 py-3 font-medium sm:px-5",
        tone === "red" ? "bg-red-soft text-red" : "bg-yellow-soft text-yellow",
      )}
    >
      <Icon className="size-4.5 shrink-0" aria-hidden />
      <span className="flex-1">{children}</span>
      <ArrowRight className="size-4 shrink-0 transition-transform group-hover:translate-x-0.5" aria-hidden />
    </Link>
  );
}
