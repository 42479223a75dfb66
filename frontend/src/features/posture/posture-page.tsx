import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { HeartPulse, SearchX } from "lucide-react";
import { useMemo, useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { namedMachinesQuery, type NamedMachine } from "@/api/named";
import { orgSettingsQuery } from "@/api/org-settings";
import type { PostureReport } from "@/api/tables";
import { DataTable } from "@/components/data-table";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button, buttonClass } from "@/components/ui/button";
import { Skeleton, SkeletonLines } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { isStale, postureColumns, type PostureRow } from "./columns";
import type { PostureSearch, PostureVerdict } from "./posture-search";
import { reportsQuery } from "./queries";
import { ReportDrawer } from "./report-drawer";

interface Props {
  search: PostureSearch;
  onSearch: (change: PostureSearch) => void;
}

/** How healthy the machines say they are, judged by the policies. */
export function PosturePage({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  useChannels("posture", "machines");
  const reports = useQuery(reportsQuery(org.id));
  const machines = useQuery(namedMachinesQuery(org.id));
  const settings = useQuery(orgSettingsQuery(org.id));
  return (
    <Page
      title="Device posture"
      subtitle={<Mode mode={settings.data?.posture_enforcement} />}
      actions={
        <Link to="/posture-policies" className={buttonClass("quiet")}>
          Policies
        </Link>
      }
    >
      <QueryView query={reports} skeleton={<PostureSkeleton />}>
        {(rows) => (
          <QueryView query={machines} skeleton={<PostureSkeleton />}>
            {(all) => <Overview reports={rows} machines={all} search={search} onSearch={onSearch} />}
          </QueryView>
        )}
      </QueryView>
    </Page>
  );
}

function Mode({ mode }: { mode: string | undefined }) {
  if (mode === "enforce") return "Enforced: what fails is dealt with as its policy says.";
  if (mode === "monitor") return "Monitored: machines are judged, nothing is cut off.";
  return "Judged by the posture policies.";
}

function Overview({ reports, machines, search, onSearch }: Props & { reports: PostureReport[]; machines: NamedMachine[] }) {
  const [opened, setOpened] = useState<PostureRow | null>(null);
  const rows = useMemo(() => {
    const byMachine = new Map(reports.map((report) => [report.machine_id, report]));
    return machines.filter(({ status }) => status !== "pending").map((machine): PostureRow => ({ id: machine.id, machine, report: byMachine.get(machine.id) ?? null }));
  }, [reports, machines]);
  const lists: Record<PostureVerdict, PostureRow[]> = {
    failing: rows.filter(({ report }) => report?.compliant === false),
    compliant: rows.filter(({ report }) => report?.compliant === true),
    stale: rows.filter(isStale),
    silent: rows.filter(({ report }) => report === null),
  };
  const reported = rows.filter(({ report }) => report !== null);
  const shown = search.show ? lists[search.show] : [...lists.failing, ...lists.compliant];
  const columns = useMemo(() => postureColumns(setOpened), []);
  return (
    <>
      <div className="mb-5 grid grid-cols-2 gap-3 sm:grid-cols-4 lg:grid-cols-[auto_repeat(4,minmax(0,1fr))]">
        <Share compliant={lists.compliant.length} of={reported.length} />
        <Tile label="Failing" count={lists.failing.length} colour="text-red" chosen={search.show === "failing"} onChoose={(on) => onSearch({ show: on ? "failing" : undefined })} />
        <Tile label="Compliant" count={lists.compliant.length} colour="text-green" chosen={search.show === "compliant"} onChoose={(on) => onSearch({ show: on ? "compliant" : undefined })} />
        <Tile label="Stale" count={lists.stale.length} colour="text-orange" chosen={search.show === "stale"} onChoose={(on) => onSearch({ show: on ? "stale" : undefined })} />
        <Tile label="Never reported" count={lists.silent.length} colour="text-muted" chosen={search.show === "silent"} onChoose={(on) => onSearch({ show: on ? "silent" : undefined })} />
      </div>
      {shown.length > 0 ? (
        <DataTable label="Posture" rows={shown} columns={columns} onOpen={(row) => row.report && setOpened(row)} />
      ) : search.show ? (
        <Notice icon={<SearchX />} title="No machine is in this state" action={<Button onClick={() => onSearch({ show: undefined })}>Show all</Button>}>
          Others are hidden by the choice above.
        </Notice>
      ) : (
        <Notice icon={<HeartPulse />} title="No machine has reported yet">
          Agents report the state of their machine with every heartbeat: disk encryption, firewall, updates, screen lock.
        </Notice>
      )}
      {!search.show && lists.silent.length > 0 && reported.length > 0 && <Silent rows={lists.silent} />}
      {opened?.report && <ReportDrawer machine={opened.machine} report={opened.report} stale={isStale(opened)} onClose={() => setOpened(null)} />}
    </>
  );
}

const RADIUS = 30;
const ROUND = 2 * Math.PI * RADIUS;

function Share({ compliant, of }: { compliant: number; of: number }) {
  const share = of === 0 ? 0 : compliant / of;
  const text = of === 0 ? "No devices checked" : `${Math.round(share * 100)} % compliant`;
  return (
    <div className="col-span-2 flex items-center gap-3 sm:col-span-4 lg:col-span-1 rounded-2xl border border-line bg-surface px-4 py-3 shadow-card">
      <svg viewBox="0 0 72 72" className="size-16 -rotate-90" role="img" aria-label={text}>
        <circle cx="36" cy="36" r={RADIUS} fill="none" strokeWidth="9" className={of === 0 ? "stroke-grey-soft" : share < 1 ? "stroke-red-soft" : "stroke-green-soft"} />
        <circle cx="36" cy="36" r={RADIUS} fill="none" strokeWidth="9" strokeLinecap={share > 0 ? "round" : "butt"} strokeDasharray={`${share * ROUND} ${ROUND}`} className="stroke-green-dot" />
      </svg>
      <p className="font-semibold" aria-hidden>
        {of === 0 ? "–" : `${Math.round(share * 100)} %`}
        <span className="block text-[0.8rem] font-normal text-muted">{of === 0 ? "no device checked" : `of ${of} checked`}</span>
      </p>
    </div>
  );
}

interface TileProps {
  label: string;
  count: number;
  colour: string;
  chosen: boolean;
  onChoose: (on: boolean) => void;
}

function Tile({ label, count, colour, chosen, onChoose }: TileProps) {
  return (
    <button type="button" aria-pressed={chosen} onClick={() => onChoose(!chosen)} className={clsx("rounded-2xl border bg-surface px-3 py-3 text-left shadow-card sm:px-4 hover:border-line-strong", chosen ? "border-accent" : "border-line")}>
      <span className={clsx("block text-[1.6rem] leading-8 font-semibold tabular-nums", count > 0 ? colour : "text-muted")}>{count}</span>
      <span className="text-muted">{label}</span>
    </button>
  );
}

function Silent({ rows }: { rows: PostureRow[] }) {
  return (
    <p className="mt-4 text-[0.87rem] text-muted">
      Never reported:{" "}
      {rows.slice(0, 12).map(({ machine }) => (
        <Link key={machine.id} to="/machines/$machineId" params={{ machineId: machine.id }} className="mr-1.5 inline-block rounded">
          <Badge>{machine.name}</Badge>
        </Link>
      ))}
      {rows.length > 12 && `and ${rows.length - 12} more`}
    </p>
  );
}

function PostureSkeleton() {
  return (
    <>
      <Skeleton className="mb-5 h-24" />
      <SkeletonLines count={6} />
    </>
  );
}
