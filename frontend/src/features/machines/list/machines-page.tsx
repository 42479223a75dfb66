import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { CircleCheck, Plus, SearchX, Server } from "lucide-react";
import { useCallback, useMemo } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgSettingsQuery } from "@/api/org-settings";
import { pendingMachinesQuery } from "@/api/pending-machines";
import type { Machine } from "@/api/tables";
import { DataTable } from "@/components/data-table";
import { Page } from "@/components/page";
import { ErrorState, Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button, buttonClass } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SkeletonLines } from "@/components/ui/skeleton";
import { Tabs } from "@/components/ui/tabs";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { machineCountQuery, machinesQuery } from "../queries";
import { PendingList } from "../pending-list";
import { machineColumns } from "./columns";
import { MachineFilters, noFilters } from "./filters";
import { isNarrowed, type MachineSearch, type MachineSort, type MachineTab } from "./machine-search";

interface Props {
  search: MachineSearch;
  onSearch: (change: MachineSearch) => void;
}

export function MachinesPage({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  useChannels("machines");
  const count = useQuery(machineCountQuery(org.id));
  const pending = useQuery(pendingMachinesQuery(org.id));
  const waiting = pending.data?.length ?? 0;
  return (
    <Page
      title="Machines"
      subtitle={count.data === undefined ? "Your private network" : `${plural(count.data, "device")} in your network`}
      actions={useIsAdmin() && <AddMachine />}
    >
      <Tabs<MachineTab>
        label="Machines"
        value={search.tab ?? "all"}
        onChange={(tab) => onSearch({ tab: tab === "pending" ? tab : undefined })}
        tabs={[
          { value: "all", label: "All Machines", content: <AllMachines search={search} onSearch={onSearch} pending={pending.data ?? []} /> },
          {
            value: "pending",
            label: <>Pending Approval {waiting > 0 && <Badge colour="yellow">{waiting}</Badge>}</>,
            content: (
              <QueryView query={pending} skeleton={<SkeletonLines count={3} />}>
                {(machines) => <Pending machines={machines} />}
              </QueryView>
            ),
          },
        ]}
      />
    </Page>
  );
}

function AddMachine() {
  return (
    <Link to="/settings/auth-keys" className={buttonClass("primary")}>
      <Plus /> Add machine
    </Link>
  );
}

function Pending({ machines }: { machines: Machine[] }) {
  if (machines.length === 0) {
    return (
      <Notice icon={<CircleCheck />} title="Nothing waits for approval">
        With approval switched on in the settings, new machines stay here until an administrator lets them in.
      </Notice>
    );
  }
  return (
    <Card>
      <PendingList machines={machines} />
    </Card>
  );
}

function AllMachines({ search, onSearch, pending }: Props & { pending: Machine[] }) {
  const { org } = useCurrentOrg();
  const navigate = useNavigate();
  const query = useInfiniteQuery(machinesQuery(org.id, search));
  const settings = useQuery(orgSettingsQuery(org.id));
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.rows) ?? [], [query.data]);
  const tags = useMemo(() => [...new Set(rows.flatMap((machine) => machine.tags))].sort(), [rows]);
  const columns = useMemo(() => machineColumns(settings.data?.key_expiry_days), [settings.data?.key_expiry_days]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const fetchMore = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <>
      {pending.length > 0 && (
        <Card title="Pending approval" subtitle="These machines are not in your network until they are approved." className="mb-5">
          <PendingList machines={pending} />
        </Card>
      )}
      <MachineFilters search={search} onSearch={onSearch} tags={tags} />
      {query.isPending ? (
        <SkeletonLines count={8} />
      ) : query.data === undefined ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : rows.length === 0 ? (
        <NoRows narrowed={isNarrowed(search)} onClear={() => onSearch(noFilters)} />
      ) : (
        <>
          <DataTable
            label="Machines"
            rows={rows}
            columns={columns}
            total={query.data.pages[0]?.total}
            sorting={{ by: search.sort ?? "name", direction: search.dir ?? "asc" }}
            onSort={({ by, direction }) => onSearch({ sort: by as MachineSort, dir: direction === "desc" ? "desc" : undefined })}
            onOpen={({ id }) => void navigate({ to: "/machines/$machineId", params: { machineId: id } })}
            onNearEnd={fetchMore}
          />
          <p className="mt-2.5 text-[0.83rem] text-muted" aria-live="polite">
            {isNarrowed(search) && `${plural(query.data.pages[0]?.total ?? rows.length, "machine")} found`}
            {isFetchingNextPage && " Loading more"}
          </p>
        </>
      )}
    </>
  );
}

function NoRows({ narrowed, onClear }: { narrowed: boolean; onClear: () => void }) {
  const isAdmin = useIsAdmin();
  if (narrowed) {
    return (
      <Notice icon={<SearchX />} title="No machine matches" action={<Button onClick={onClear}>Clear filters</Button>}>
        Other machines are hidden by the search and filters above.
      </Notice>
    );
  }
  return (
    <Notice
      icon={<Server />}
      title="No machine yet"
      action={
        <>
          <Link to="/dashboard" className={buttonClass("quiet")}>
            Show the guide
          </Link>
          {isAdmin && <AddMachine />}
        </>
      }
    >
      Install the agent on a machine and sign it in, or hand it an auth key. It appears here by itself.
    </Notice>
  );
}
