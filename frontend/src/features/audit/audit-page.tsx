import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight, ScrollText, SearchX } from "lucide-react";
import { useMemo, useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { DataTable } from "@/components/data-table";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { isNarrowed, type AuditSearch } from "./audit-search";
import { auditColumns } from "./columns";
import { EventDrawer } from "./event-drawer";
import { AuditFilters, noFilters } from "./filters";
import type { AuditEvent, AuditPage as Events } from "@/api/answers";
import { auditQuery, PAGE_SIZE } from "./queries";

interface Props {
  search: AuditSearch;
  onSearch: (change: AuditSearch) => void;
}

export function AuditPage({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  useChannels("audit");
  const query = useQuery(auditQuery(org.id, search));
  return (
    <Page title={query.data ? `Audit Log (${plural(query.data.total, "event")})` : "Audit Log"} subtitle="Who did what, and when. Entries are sealed in a chain and never change.">
      <AuditFilters search={search} onSearch={onSearch} offered={query.data?.filters} />
      <QueryView query={query} skeleton={<SkeletonLines count={10} />}>
        {(events) => <EventList events={events} search={search} onSearch={onSearch} />}
      </QueryView>
    </Page>
  );
}

function EventList({ events, search, onSearch }: Props & { events: Events }) {
  const [opened, setOpened] = useState<AuditEvent | null>(null);
  const columns = useMemo(() => auditColumns(setOpened), []);
  const { logs, total } = events;
  const first = (search.page ?? 0) * PAGE_SIZE;
  if (logs.length === 0) return <NoEvents narrowed={isNarrowed(search) || first > 0} onClear={() => onSearch(noFilters)} />;
  return (
    <>
      <DataTable label="Audit events" rows={logs} columns={columns} total={total} rowHeight={56} onOpen={setOpened} />
      <nav aria-label="Pages" className="mt-3 flex flex-wrap items-center justify-between gap-3 text-[0.85rem] text-muted">
        <p aria-live="polite">
          Showing {first + 1}-{first + logs.length} of {plural(total, "event")}
        </p>
        <div className="flex gap-2">
          <Button size="sm" disabled={first === 0} onClick={() => onSearch({ page: (search.page ?? 0) - 1 || undefined })}>
            <ChevronLeft /> Previous
          </Button>
          <Button size="sm" disabled={first + logs.length >= total} onClick={() => onSearch({ page: (search.page ?? 0) + 1 })}>
            Next <ChevronRight />
          </Button>
        </div>
      </nav>
      {opened && <EventDrawer event={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

function NoEvents({ narrowed, onClear }: { narrowed: boolean; onClear: () => void }) {
  if (!narrowed) {
    return (
      <Notice icon={<ScrollText />} title="No audit events recorded yet">
        Every change in this organisation is written here, with who made it.
      </Notice>
    );
  }
  return (
    <Notice icon={<SearchX />} title="No events match your filters" action={<Button onClick={onClear}>Clear all</Button>}>
      Other events are hidden by the search and filters above.
    </Notice>
  );
}
