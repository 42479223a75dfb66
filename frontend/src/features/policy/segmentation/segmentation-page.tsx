import { useQuery } from "@tanstack/react-query";
import { Group, Plus, SearchX } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { membersQuery } from "@/api/members";
import { groupsQuery, namedMachinesQuery, peopleGroupsQuery } from "@/api/named";
import type { IdpGroup, SegmentationGroup } from "@/api/tables";
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
import { peopleNamed } from "./people";
import { PeopleCard } from "./people-card";
import { byGroup, groupsMatching, membershipsQuery, peopleQuery, rulesNaming } from "./queries";

interface Props {
  search: { q?: string };
  onSearch: (change: { q?: string }) => void;
}

const FEW = 3;

/** Groups that rules name: of machines, and of people. */
export function SegmentationPage({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl", "machines", "members", "posture");
  const query = useQuery(groupsQuery(org.id));
  const { data: people = [] } = useQuery(peopleGroupsQuery(org.id));
  const [opened, setOpened] = useState<Opened<SegmentationGroup>>(null);
  const close = () => setOpened(null);
  const create = isAdmin && (
    <Button tone="primary" onClick={() => setOpened({ form: null })}>
      <Plus /> Create Group
    </Button>
  );
  return (
    <Page title="Segmentation" subtitle="Groups of machines and of people, for rules to name as group:…" actions={create}>
      <OpenPlans />
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-32" />}>
        {(groups) => (
          <>
            {groups.length + people.length > FEW && (
              <div className="mb-4 flex">
                <SearchBox label="Search groups" value={search.q ?? ""} onChange={(q) => onSearch({ q: q || undefined })} />
              </div>
            )}
            <Groups groups={groups} people={people} text={search.q ?? ""} create={create} onOpen={setOpened} onClear={() => onSearch({ q: undefined })} />
          </>
        )}
      </QueryView>
      {opened && "form" in opened && <GroupDialog group={opened.form} onClose={close} />}
      {opened && "plan" in opened && <PlannedChange {...opened.plan} onClose={close} />}
    </Page>
  );
}

interface GroupsProps {
  groups: SegmentationGroup[];
  people: IdpGroup[];
  text: string;
  create: ReactNode;
  onOpen: (opened: Opened<SegmentationGroup>) => void;
  onClear: () => void;
}

function Groups({ groups, people, text, create, onOpen, onClear }: GroupsProps) {
  const ofMachines = groupsMatching(groups, text);
  const ofPeople = groupsMatching(people, text);
  if (groups.length + people.length > 0 && ofMachines.length + ofPeople.length === 0) {
    return (
      <Notice icon={<SearchX />} title="No group matches" action={<Button onClick={onClear}>Clear search</Button>}>
        Other groups are hidden by the search above.
      </Notice>
    );
  }
  return (
    <div className="grid gap-6">
      {groups.length === 0 && text === "" && (
        <Notice icon={<Group />} title={people.length === 0 ? "No group yet" : "No group of machines yet"} action={create}>
          Put machines that belong together into a group, and write one rule for all of them.
        </Notice>
      )}
      {ofMachines.length > 0 && <OfMachines groups={ofMachines} headed={people.length > 0} onOpen={onOpen} />}
      {ofPeople.length > 0 && <OfPeople groups={ofPeople} />}
    </div>
  );
}

function OfMachines({ groups, headed, onOpen }: { groups: SegmentationGroup[]; headed: boolean; onOpen: GroupsProps["onOpen"] }) {
  const { org } = useCurrentOrg();
  const { data: memberships } = useQuery(membershipsQuery(org.id));
  const { data: machines = [] } = useQuery(namedMachinesQuery(org.id));
  const { data: rules } = useQuery(rulesQuery(org.id));
  const members = useMemo(() => memberships && byGroup(memberships), [memberships]);
  return (
    <Section title="Machines" headed={headed}>
      {groups.map((group) => (
        <GroupCard key={group.id} group={group} members={members && (members.get(group.id) ?? [])} machines={machines} rules={rules && rulesNaming(rules, group.name)} onOpen={onOpen} />
      ))}
    </Section>
  );
}

function OfPeople({ groups }: { groups: IdpGroup[] }) {
  const { org } = useCurrentOrg();
  const { data: memberships } = useQuery(peopleQuery(org.id));
  const { data: members } = useQuery(membersQuery(org.id));
  const { data: rules } = useQuery(rulesQuery(org.id));
  const people = useMemo(() => memberships && members && byGroup(peopleNamed(memberships, members)), [memberships, members]);
  return (
    <Section title="People" note="Rules that name them mean their machines. The identity provider says who is in them.">
      {groups.map((group) => (
        <PeopleCard key={group.id} group={group} people={people && (people.get(group.id) ?? [])} rules={rules && rulesNaming(rules, group.name)} />
      ))}
    </Section>
  );
}

function Section({ title, note, headed = true, children }: { title: string; note?: string; headed?: boolean; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <div className={headed ? "mb-3" : "sr-only"}>
        <h2 className="font-semibold tracking-tight">{title}</h2>
        {note && <p className="text-[0.87rem] text-pretty text-muted">{note}</p>}
      </div>
      <div className="grid items-start gap-4 xl:grid-cols-2">{children}</div>
    </section>
  );
}
