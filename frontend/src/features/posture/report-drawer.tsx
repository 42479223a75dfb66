import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCurrentOrg } from "@/api/current-org";
import type { NamedMachine } from "@/api/named";
import type { PostureReport } from "@/api/tables";
import { Countdown } from "@/components/countdown";
import { QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { buttonClass } from "@/components/ui/button";
import { Fact, Facts } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { useNow } from "@/lib/now";
import { localTime } from "@/lib/time";
import { Reading, StaleBadge } from "./columns";
import { spansOf } from "./history";
import { historyQuery } from "./queries";
import { faultsOf, titleOf } from "./requirements";

interface Props {
  machine: NamedMachine;
  report: PostureReport;
  stale: boolean;
  onClose: () => void;
}

/** One machine's health: what is wrong and what to do, all readings, and how it was. */
export function ReportDrawer({ machine, report, stale, onClose }: Props) {
  const verdict = (
    <span className="flex flex-wrap gap-1">
      {report.compliant ? <Badge colour="green">compliant</Badge> : <Badge colour="red">not compliant</Badge>}
      {stale && <StaleBadge at={report.reported_at} />}
    </span>
  );
  return (
    <Dialog as="drawer" title={machine.name} description={verdict} onClose={onClose}>
      <div className="grid gap-5">
        {!report.compliant && (
          <ul className="grid gap-2.5">
            {faultsOf(report).map(({ key, title, figures, remedy }) => (
              <li key={key} className="rounded-xl bg-red-soft px-3.5 py-2.5">
                <p className="font-medium text-red">{title}</p>
                {figures && <p className="text-[0.83rem] text-red">{figures}</p>}
                {remedy && <p className="mt-1 text-[0.87rem]">{remedy}</p>}
              </li>
            ))}
          </ul>
        )}
        {report.grace_ends_at && (
          <p className="text-[0.87rem] text-muted">
            Still connected. What its policies say comes about in{" "}
            <span className="text-ink">
              <Countdown until={report.grace_ends_at} />
            </span>
            .
          </p>
        )}
        <section>
          <h3 className="mb-2 font-medium">Last 30 days</h3>
          <History machineId={machine.id} />
        </section>
        <Facts>
          <Fact name="System">{report.os_version ?? "–"}</Fact>
          <Fact name="Disk encryption">
            <Reading name="Disk encryption" value={report.disk_encrypted} />
          </Fact>
          <Fact name="Firewall">
            <Reading name="Firewall" value={report.firewall_enabled} />
          </Fact>
          <Fact name="Antivirus">
            <Reading name="Antivirus" value={report.antivirus_enabled} /> {report.antivirus_name}
          </Fact>
          <Fact name="Age of the last patches">{report.patch_age_days === null ? "unknown" : `${report.patch_age_days} days`}</Fact>
          <Fact name="Security updates waiting">{report.pending_security_updates ?? "unknown"}</Fact>
          <Fact name="Automatic updates">
            <Reading name="Automatic updates" value={report.auto_update} />
          </Fact>
          <Fact name="Screen locks after">{report.screen_lock_timeout === null ? "unknown" : report.screen_lock_timeout === 0 ? "never" : `${Math.round(report.screen_lock_timeout / 60)} min`}</Fact>
          <Fact name="Restart needed">{report.reboot_pending === null ? "unknown" : report.reboot_pending ? "yes" : "no"}</Fact>
          <Fact name="Agent">{report.agent_version ?? "–"}</Fact>
          <Fact name="Reported">
            <Timestamp at={report.reported_at} />
          </Fact>
          {report.failing_since && (
            <Fact name="Failing since">
              <Timestamp at={report.failing_since} />
            </Fact>
          )}
        </Facts>
        <Link to="/machines/$machineId" params={{ machineId: machine.id }} className={buttonClass("quiet")}>
          Open the machine
        </Link>
      </div>
    </Dialog>
  );
}

const DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

function History({ machineId }: { machineId: string }) {
  const { org } = useCurrentOrg();
  const query = useQuery(historyQuery(org.id, machineId, DAYS));
  const now = useNow(60_000);
  return (
    <QueryView query={query} skeleton={<Skeleton className="h-8" />}>
      {(points) => {
        const spans = spansOf(points, now - DAYS * DAY_MS, now);
        if (spans.length === 0) return <p className="text-[0.87rem] text-muted">Nothing is known yet.</p>;
        return (
          <>
            <svg viewBox="0 0 100 8" preserveAspectRatio="none" className="h-7 w-full overflow-hidden rounded-lg bg-grey-soft" role="img" aria-label={`Compliant ${Math.round(spans.filter((span) => span.compliant).reduce((sum, { start, end }) => sum + end - start, 0) * 100)} % of the last ${DAYS} days`}>
              {spans.map(({ start, end, compliant, violations, at }) => (
                <rect key={at} x={start * 100} width={Math.max(0.4, (end - start) * 100)} y={0} height={8} className={compliant ? "fill-green-dot" : "fill-red-dot"}>
                  <title>
                    {localTime(at, now)}: {compliant ? "compliant" : violations.map(titleOf).join(", ")}
                  </title>
                </rect>
              ))}
            </svg>
            <p className="mt-1 flex justify-between text-[0.78rem] text-muted" aria-hidden>
              <span>{DAYS} days ago</span>
              <span>now</span>
            </p>
          </>
        );
      }}
    </QueryView>
  );
}
