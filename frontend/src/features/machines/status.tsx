import type { Machine, MachineStatus, QuarantineReason } from "@/api/tables";
import { Badge, Dot, type Colour, type DotColour } from "@/components/ui/badge";
import { ago, freshness, utcTime, type Freshness } from "@/lib/time";
import { useNow } from "@/lib/now";
import { clsx } from "clsx";

const looks: Record<MachineStatus, { colour: Colour & DotColour; text: string }> = {
  online: { colour: "green", text: "Online" },
  offline: { colour: "grey", text: "Offline" },
  pending: { colour: "yellow", text: "Pending" },
  quarantined: { colour: "red", text: "Quarantined" },
};

export const quarantineReasons: Record<QuarantineReason, string> = {
  admin: "by an administrator",
  posture: "posture check failed",
  risk: "risk score too high",
  member_removed: "its owner was removed",
  key_revoked: "its auth key was revoked",
  review: "access review",
};

export function StatusBadge({ status }: { status: MachineStatus }) {
  const { colour, text } = looks[status];
  return (
    <Badge colour={colour}>
      <Dot colour={colour} />
      {text}
    </Badge>
  );
}

const ages: Record<Freshness, string> = { fresh: "text-green", recent: "text-yellow", old: "text-orange", stale: "text-red" };

/** "Connected", or how long ago a machine was last heard, coloured by its age. */
export function LastSeen({ machine: { status, last_seen } }: { machine: Pick<Machine, "status" | "last_seen"> }) {
  const now = useNow();
  if (status === "online") return <span className="whitespace-nowrap text-green">Connected</span>;
  if (last_seen === null) return <span className="text-muted">Never</span>;
  return (
    <time dateTime={last_seen} title={utcTime(last_seen)} className={clsx("whitespace-nowrap tabular-nums", ages[freshness(last_seen, now)])}>
      {ago(last_seen, now)}
    </time>
  );
}

/** Networks that it offers and nobody has approved. */
export function pendingRoutes({ advertised_routes, approved_routes }: Pick<Machine, "advertised_routes" | "approved_routes">): string[] {
  return advertised_routes.filter((route) => !approved_routes.includes(route));
}

function offersWaiting(machine: Machine): boolean {
  return pendingRoutes(machine).length > 0 || (machine.advertise_exit_node && !machine.exit_node_approved);
}

/** What stands out about a machine, beside its status. */
export function MachineMarks({ machine }: { machine: Machine }) {
  return (
    <>
      {machine.locked && <Badge colour="red">Locked</Badge>}
      {machine.admin_disabled && <Badge colour="orange">Disabled</Badge>}
      {machine.ephemeral && (
        <Badge outlined title="Removed when it goes offline">
          Ephemeral
        </Badge>
      )}
      {machine.approved_routes.length > 0 && (
        <Badge colour="blue" title={machine.approved_routes.join(", ")}>
          Subnet Router
        </Badge>
      )}
      {machine.exit_node_approved && <Badge colour="blue">Exit Node</Badge>}
      {offersWaiting(machine) && (
        <Badge colour="yellow" title="It offers routes that an administrator has not approved">
          Routes pending
        </Badge>
      )}
    </>
  );
}

export function TagBadges({ tags, most = tags.length }: { tags: string[]; most?: number }) {
  const hidden = tags.slice(most);
  return (
    <>
      {tags.slice(0, most).map((tag) => (
        <Badge key={tag} mono colour="blue">
          {tag}
        </Badge>
      ))}
      {hidden.length > 0 && <Badge title={hidden.join(", ")}>+{hidden.length}</Badge>}
    </>
  );
}
