import { useQuery } from "@tanstack/react-query";
import { Group, Plus, SearchX } from "lucide-react";
import { useMemo, useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { groupsQuery, namedMachinesQuery } from "@/api/named";
import type { SegmentationGroup } from "@/api/tables";
import { Page } from "@/components/page";
import { OpenPlans } from "@/components/plans/open-plans";
import { PlannedChange } from "@/components/plans/planned-change";
import type { Opened } from "@/components/plans/row-changes";
import { SearchBox } from "@/components/search-box";
import { Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { rulesQuery } from "../rules/queries";
import { GroupCard } from "./group-card";
import { GroupDialog } from "./group-dialog";
import { membershipsQuery, rulesNaming } from "./queries";

interface Props {
  search: { q?: string };
  onSearch: (change: { q?: string }) => void;
}

/** Groups of machines that rules name. */
export function SegmentationPage({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl", "machines", "posture");
  const query = useQuery(groupsQuery(org.id));
  const [opened, setOpened] = useState<Opened<SegmentationGroup>>(null);
  const close = () => setOpened(null);
  const create = isAdmin && (
    <Button tone="primary" onClick={() => setOpened({ form: null })}>
      <Plus /> Create Group
    </Button>
  );
  return (
    <Page title="Segmentation" subtitle="Groups of machines, for rules to name as group:…" actions={create}>
      <OpenPlans />
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-32" />}>
        {(groups) =>
          groups.length > 0 ? (
            <Groups groups={groups} search={search} onSearch={onSearch} onOpen={setOpened} />
          ) : (
            <Notice icon={<Group />} title="No group yet" action={create}>
              Put machines that belong together into a group, and write one rule for all of them.
            </Notice>
          )
        }
      </QueryView>
      {opened && "form" in opened && <GroupDialog group={opened.form} onClose={close} />}
      {opened && "plan" in opened && <PlannedChange {...opened.plan} onClose={close} />}
    </Page>
  );
}

function Groups({ groups, search, onSearch, onOpen }: Props & { groups: SegmentationGroup[]; onOpen: (opened: Opened<SegmentationGroup>) => void }) {
  const { org } = useCurrentOrg();
  const { data: memberships } = useQuery(membershipsQuery(org.id));
  const { data: machines } = useQuery(namedMachinesQuery(org.id));
  const { data: rules } = useQuery(rulesQuery(org.id));
  const shown = useMemo(() => {
    const wanted = search.q?.toLowerCase() ?? "";
    return groups
      .filter(({ name, description }) => `${name} ${description ?? ""}`.toLowerCase().includes(wanted))
      .sort((a, b) => a.name.localeCompare(b.name, undefined, { sensitivity: "base" }));
  }, [groups, search.q]);
  return (
    <>
      {groups.length > 3 && (
        <div className="mb-4 flex">
          <SearchBox label="Search groups" value={search.q ?? ""} onChange={(q) => onSearch({ q: q || undefined })} />
        </div>
      )}
      {shown.length === 0 ? (
        <Notice icon={<SearchX />} title="No group matches" action={<Button onClick={() => onSearch({ q: undefined })}>Clear search</Button>}>
          Other groups are hidden by the search above.
        </Notice>
      ) : (
        <div className="grid items-start gap-4 xl:grid-cols-2">
          {shown.map((group) => (
            <GroupCard key={group.id} group={group} members={memberships?.filter(({ group_id }) => group_id === group.id)} machines={machines ?? []} rules={rules && rulesNaming(rules, group.name)} onOpen={onOpen} />
          ))}
        </div>
      )}
    </>
  );
}
