import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { membersQuery } from "@/api/members";
import { Avatar } from "@/components/avatar";
import { RoleBadge } from "@/components/role-badge";
import { QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Dot } from "@/components/ui/badge";
import { Card, Fact, Facts } from "@/components/ui/card";
import { SkeletonLines } from "@/components/ui/skeleton";
import { duration, plural } from "@/lib/time";
import { latestOnlineQuery, type DashboardStats, type Propagation } from "./queries";

const TEAM_SHOWN = 4;
const cardLink = "rounded text-[0.83rem] font-medium text-accent hover:underline";

export function NetworkStatusCard({ stats: { onlineCount, machineCount, pendingCount, propagation, postureTotal, postureCompliant = 0 } }: { stats: DashboardStats }) {
  const share = machineCount ? onlineCount / machineCount : 0;
  return (
    <Card title="Network Status" actions={<Link to="/machines" className={cardLink}>Machines</Link>}>
      <p className="text-[1.75rem] leading-9 font-semibold tracking-[-0.025em] tabular-nums">
        {onlineCount.toLocaleString()}/{machineCount.toLocaleString()} <span className="text-[1rem] font-medium tracking-normal text-muted">Online</span>
      </p>
      <div className="mt-3 h-2 overflow-hidden rounded-full bg-grey-soft" role="img" aria-label={`${Math.round(share * 100)} % of the machines are online`}>
        <div className="h-full rounded-full bg-green-dot transition-[width]" style={{ width: `${share * 100}%` }} />
      </div>
      {pendingCount > 0 && (
        <Link to="/machines" search={{ tab: "pending" }} className="mt-3 inline-flex items-center gap-2 rounded text-yellow hover:underline">
          <Dot colour="yellow" />
          {pendingCount} pending approval
        </Link>
      )}
      {postureTotal !== undefined && (
        <p className="mt-3">
          <Link to="/posture" className="rounded text-[0.83rem] text-muted hover:text-ink hover:underline">
            {postureTotal === 0 ? "No devices checked" : `${postureCompliant} of ${plural(postureTotal, "checked device")} compliant (${Math.round((postureCompliant / postureTotal) * 100)} %)`}
          </Link>
        </p>
      )}
      {propagation && <Enforcement {...propagation} />}
    </Card>
  );
}

function Enforcement({ p50_ms: half, p99_ms: nearlyAll, acks }: Propagation) {
  if (half === null || nearlyAll === null) return null;
  return (
    <p className="mt-3 text-[0.83rem] text-muted" title={`${acks.toLocaleString()} acknowledgements of the last hour`}>
      Changes are in force after <b className="font-medium text-ink tabular-nums">{duration(half)}</b>, 99 % within{" "}
      <b className="font-medium text-ink tabular-nums">{duration(nearlyAll)}</b>
    </p>
  );
}

export function ConfigurationCard({ stats }: { stats: DashboardStats }) {
  if (!useIsAdmin()) return null;
  return (
    <Card title="Configuration" actions={<Link to="/settings" className={cardLink}>Settings</Link>}>
      <Facts>
        {stats.aclRuleCount !== undefined && (
          <Fact name="ACL Rules">
            <Link to="/acls" className="rounded tabular-nums hover:text-accent hover:underline">
              {stats.aclRuleCount}
            </Link>
          </Fact>
        )}
        <Fact name="Members">
          <span className="tabular-nums">{stats.memberCount}</span>
        </Fact>
        <Fact name="Open invitations">
          <span className="tabular-nums">{stats.pendingInvites}</span>
        </Fact>
      </Facts>
    </Card>
  );
}

export function ActiveMachinesCard() {
  const { org } = useCurrentOrg();
  const query = useQuery(latestOnlineQuery(org.id));
  return (
    <Card title="Active Machines">
      <QueryView query={query} skeleton={<SkeletonLines count={4} />}>
        {(machines) =>
          machines.length === 0 ? (
            <p className="text-muted">No machines online</p>
          ) : (
            <ul className="grid gap-2.5">
              {machines.map(({ id, name, magicdns_name, last_seen }) => (
                <li key={id} className="flex min-w-0 items-center gap-2.5">
                  <Dot colour="green" />
                  <Link to="/machines/$machineId" params={{ machineId: id }} className="min-w-0 flex-1 rounded hover:text-accent">
                    <span className="block truncate font-medium">{name}</span>
                    <span className="block truncate text-[0.8rem] text-muted">{magicdns_name}</span>
                  </Link>
                  <span className="text-[0.8rem] text-muted">
                    <Timestamp at={last_seen} />
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
    </Card>
  );
}

export function TeamCard() {
  const { org } = useCurrentOrg();
  const query = useQuery(membersQuery(org.id));
  return (
    <Card title="Team" actions={<Link to="/users" className={cardLink}>Users</Link>}>
      <QueryView query={query} skeleton={<SkeletonLines count={4} />}>
        {(members) =>
          members.length === 0 ? (
            <p className="text-muted">No members yet</p>
          ) : (
            <ul className="grid gap-2.5">
              {members.slice(0, TEAM_SHOWN).map(({ id, full_name, email, role }) => (
                <li key={id} className="flex min-w-0 items-center gap-2.5">
                  <Avatar name={full_name} />
                  <span className="min-w-0 flex-1">
                    <span className="block truncate font-medium">{full_name?.trim() ? full_name : "Unknown"}</span>
                    <span className="block truncate text-[0.8rem] text-muted">{email ?? "–"}</span>
                  </span>
                  <RoleBadge role={role} />
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
    </Card>
  );
}
