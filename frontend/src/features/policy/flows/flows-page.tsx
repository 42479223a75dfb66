import { useInfiniteQuery } from "@tanstack/react-query";
import { ChevronDown, Clock, Download, RotateCw, SearchX } from "lucide-react";
import { useMemo, useState } from "react";
import type { Flow } from "@/api/answers";
import { useCurrentOrg, useMayInspect } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { DataTable } from "@/components/data-table";
import { useEndNames } from "@/components/end-chips";
import { Page } from "@/components/page";
import { ErrorState, Forbidden, Notice } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Skeleton, SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { useNow } from "@/lib/now";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { flowColumns } from "./columns";
import { FlowFilters } from "./filters";
import { FlowChart } from "./flow-chart";
import { FlowDrawer } from "./flow-drawer";
import { isNarrowed, noFilters, spanOf, type FlowSearch } from "./flow-search";
import { flowsQuery, MOST_EXPORTED, useExport } from "./queries";
import { NotRecorded, RecordingStopped } from "./recording";

interface Props {
  search: FlowSearch;
  onSearch: (change: FlowSearch) => void;
}

const TITLE = "Flow log";

/** Who connected to whom, and the rule that let it through or denied it. */
export function FlowsPage(props: Props) {
  // Not asked for by those who would be refused.
  return useMayInspect() ? (
    <FlowLog {...props} />
  ) : (
    <Page title={TITLE}>
      <Forbidden />
    </Page>
  );
}

function FlowLog({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  useChannels("acl", "general");
  const query = useInfiniteQuery(flowsQuery(org.id, search));
  const { data, isPending, error, isFetching, isFetchingNextPage, hasNextPage, dataUpdatedAt, refetch, fetchNextPage } = query;
  const flows = useMemo(() => data?.pages.flatMap((page) => page.flows) ?? [], [data]);
  const enabled = data?.pages[0]?.enabled ?? true;
  const unused = !enabled && flows.length === 0 && !isNarrowed(search);
  const older = (
    <Button tone="ghost" className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
      <ChevronDown /> Load older
    </Button>
  );
  return (
    <Page
      title={TITLE}
      subtitle="Who connected to whom, and the rule that decided. Kept for 30 days."
      actions={
        <>
          <Button busy={isFetching && !isFetchingNextPage && !isPending} onClick={() => void refetch()}>
            <RotateCw /> Refresh
          </Button>
          <ExportButton search={search} disabled={flows.length === 0} />
        </>
      }
    >
      {!enabled && !unused && <RecordingStopped />}
      {(!unused || search.period !== undefined) && <FlowFilters search={search} onSearch={onSearch} />}
      {isPending ? (
        <FlowSkeleton />
      ) : data === undefined ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : unused ? (
        <NotRecorded />
      ) : flows.length === 0 ? (
        <NoFlows search={search} onSearch={onSearch} />
      ) : (
        <>
          <Flows flows={flows} search={search} onSearch={onSearch} loadedAt={dataUpdatedAt} partial={hasNextPage} />
          {hasNextPage && older}
        </>
      )}
    </Page>
  );
}

interface FlowsProps extends Props {
  flows: Flow[];
  loadedAt: number;
  partial: boolean;
}

function Flows({ flows, search, onSearch, loadedAt, partial }: FlowsProps) {
  const now = Math.max(useNow(60_000), loadedAt);
  const names = useEndNames();
  const [opened, setOpened] = useState<Flow | null>(null);
  const columns = useMemo(() => flowColumns(names, setOpened), [names]);
  const oldest = flows.at(-1)?.at;
  // What is not loaded must not look like silence: the picture begins with the oldest flow on the page.
  const span = useMemo(() => {
    const { from, to } = spanOf(search, now);
    return { from: partial && oldest ? Date.parse(oldest) : from, to };
  }, [search, now, partial, oldest]);
  return (
    <>
      <FlowChart flows={flows} span={span} partial={partial} />
      <DataTable label="Flows" rows={flows} columns={columns} rowHeight={60} onOpen={setOpened} />
      <p className="mt-2.5 text-[0.83rem] text-muted" aria-live="polite">
        {plural(flows.length, "entry", "entries")} {partial ? "loaded, the newest first" : "in all"}
      </p>
      {opened && <FlowDrawer flow={opened} names={names} onNarrow={onSearch} onClose={() => setOpened(null)} />}
    </>
  );
}

function ExportButton({ search, disabled }: { search: FlowSearch; disabled: boolean }) {
  const { mutate, isPending } = useExport(search, {
    onSuccess: (count) => toast.done(count < MOST_EXPORTED ? `${plural(count, "entry", "entries")} exported` : `The newest ${count.toLocaleString()} entries exported; there may be older ones`),
    onError: (error) => toast.failed(messageOf(error)),
  });
  return (
    <Button disabled={disabled || isPending} busy={isPending} onClick={() => mutate()} title="All flows that the filters let through, as CSV">
      <Download /> Export
    </Button>
  );
}

function NoFlows({ search, onSearch }: Props) {
  if (isNarrowed(search)) {
    return (
      <Notice icon={<SearchX />} title="No flow matches" action={<Button onClick={() => onSearch(noFilters)}>Clear filters</Button>}>
        Other flows of this time may be hidden by the filters above.
      </Notice>
    );
  }
  return (
    <Notice
      icon={<Clock />}
      title="No flow in this time"
      action={search.period !== "30d" && <Button onClick={() => onSearch({ period: "30d", from: undefined, to: undefined })}>Show the last 30 days</Button>}
    >
      Machines report what they let through and what they deny within a minute of it.
    </Notice>
  );
}

function FlowSkeleton() {
  return (
    <>
      <Skeleton className="mb-4 h-40" />
      <SkeletonLines count={8} className="[&>*]:h-12" />
    </>
  );
}
