import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCurrentOrg } from "@/api/current-org";
import type { NamedMachine } from "@/api/named";
import { QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { buttonClass } from "@/components/ui/button";
import { Fact, Facts } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { useNow } from "@/lib/now";
import { localTime } from "@/lib/time";
import { Reading } from "./columns";
import { spansOf } from "./history";
import { historyQuery, type PostureReport } from "./queries";
import { figuresOf, remedyOf, titleOf } from "./requirements";

interface Props {
  machine: NamedMachine;
  report: PostureReport;
  onClose: () => void;
}

/** One machine's health: what is wrong and what to do, all readings, and how it was. */
export function ReportDrawer({ machine, report, onClose }: Props) {
  return (
    <Dialog as="drawer" title={machine.name} description={report.compliant ? <Badge colour="green">compliant</Badge> : <Badge colour="red">not compliant</Badge>} onClose={onClose}>
      <div className="grid gap-5">
        {report.violations.length > 0 && (
          <ul className="grid gap-2.5">
            {report.violations.map((code, i) => (
              <ViolationCard key={`${code} ${i}`} code={code} report={report} os={machine.os} />
            ))}
          </ul>
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
          <Fact name="Screen locks after">{report.screen_lock_timeout === null ? "unknown" : `${Math.round(report.screen_lock_timeout / 60)} min`}</Fact>
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

function ViolationCard({ code, report, os }: { code: string; report: PostureReport; os: string }) {
  const details = report.violation_details.find((violation) => violation.code === code);
  const figures = details && figuresOf(details);
  const remedy = remedyOf(code, os);
  return (
    <li className="rounded-xl bg-red-soft px-3.5 py-2.5">
      <p className="font-medium text-red">{titleOf(code)}</p>
      {figures && <p className="text-[0.83rem] text-red">{figures}</p>}
      {remedy && <p className="mt-1 text-[0.87rem]">{remedy}</p>}
    </li>
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
