import { Link } from "@tanstack/react-router";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import type { NamedMachine } from "@/api/named";
import type { AclRule, GroupMember, SegmentationGroup } from "@/api/tables";
import { GroupDot } from "@/components/end-chips";
import { EditDelete } from "@/components/item-controls";
import type { Planned } from "@/components/plans/planned-change";
import type { Opened } from "@/components/plans/row-changes";
import { SmallTable } from "@/components/small-table";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { localDate, utcTime } from "@/lib/time";
import { BulkAddDialog } from "./bulk-add-dialog";
import { deletingGroup, joining, leaving } from "./changes";
import { RulesBadge } from "./rules-badge";

interface Props {
  group: SegmentationGroup;
  members: GroupMember[] | undefined;
  machines: NamedMachine[];
  rules: AclRule[] | undefined;
  onOpen: (opened: Opened<SegmentationGroup>) => void;
}

const SHOWN = 6;

export function GroupCard({ group, members, machines, rules, onOpen }: Props) {
  const isAdmin = useIsAdmin();
  const [bulk, setBulk] = useState(false);
  const [all, setAll] = useState(false);
  const plan = (planned: Planned) => onOpen({ plan: planned });
  const outside = machines.filter(({ id }) => !members?.some(({ machine_id }) => machine_id === id));
  return (
    <section aria-label={`Group ${group.name}`} className="min-w-0 rounded-2xl border border-line bg-surface p-4 shadow-card sm:p-5">
      <header className="flex items-start gap-3">
        <span className="mt-1.5">
          <GroupDot colour={group.color} />
        </span>
        <div className="min-w-0 flex-1">
          <h3 className="flex flex-wrap items-center gap-2 font-semibold tracking-tight break-words">
            {group.name}
            <Badge title="Machines in this group">{members?.length ?? "…"}</Badge>
            {rules && rules.length > 0 && <RulesBadge rules={rules} />}
          </h3>
          {group.description && <p className="text-[0.85rem] text-pretty text-muted">{group.description}</p>}
        </div>
        {isAdmin && (
          <div className="flex">
            <EditDelete name={group.name} onEdit={() => onOpen({ form: group })} onDelete={() => plan(deletingGroup(group, members?.length ?? 0))} />
          </div>
        )}
      </header>
      {members === undefined ? <SkeletonLines count={2} className="mt-3" /> : <Members group={group} members={all ? members : members.slice(0, SHOWN)} machines={machines} onPlan={plan} />}
      {members && members.length > SHOWN && (
        <Button tone="ghost" size="sm" className="mt-1" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${members.length}`}
        </Button>
      )}
      {isAdmin && members && <AddMachine group={group} outside={outside} onPlan={plan} onBulk={() => setBulk(true)} />}
      {bulk && <BulkAddDialog group={group} outside={outside} onClose={() => setBulk(false)} />}
    </section>
  );
}

interface MembersProps {
  group: SegmentationGroup;
  members: GroupMember[];
  machines: NamedMachine[];
  onPlan: (plan: Planned) => void;
}

function Members({ group, members, machines, onPlan }: MembersProps) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  if (members.length === 0) return <p className="mt-3 text-[0.87rem] text-muted">No machine in it yet. Rules that name it match nothing.</p>;
  return (
    <SmallTable label={`Machines in ${group.name}`} columns={["Machine", "Added"]} removable={isAdmin} className="mt-3">
      {members.map((member) => {
        const machine = machines.find(({ id }) => id === member.machine_id);
        return (
          <tr key={member.id} className="border-t border-line">
            <td className="w-full max-w-0 truncate py-1.5">
              <Link to="/machines/$machineId" params={{ machineId: member.machine_id }} className="rounded font-medium hover:text-accent hover:underline">
                {machine?.name ?? member.machine_id}
              </Link>
              <span className="ml-2 hidden font-mono text-[0.78rem] text-muted sm:inline">{machine?.tailnet_ip}</span>
            </td>
            <td className="py-1.5 pl-3 text-muted">
              <time dateTime={member.added_at} title={utcTime(member.added_at)} className="whitespace-nowrap">
                {localDate(member.added_at)}
              </time>
            </td>
            {isAdmin && (
              <td className="pl-2 text-right">
                <Button tone="ghost" size="icon" className="size-7" aria-label={`Remove ${machine?.name ?? "machine"} from ${group.name}`} onClick={() => onPlan(leaving(org.id, group, member, machine?.name ?? "a machine"))}>
                  <X />
                </Button>
              </td>
            )}
          </tr>
        );
      })}
    </SmallTable>
  );
}

interface AddProps {
  group: SegmentationGroup;
  outside: NamedMachine[];
  onPlan: (plan: Planned) => void;
  onBulk: () => void;
}

function AddMachine({ group, outside, onPlan, onBulk }: AddProps) {
  const { org } = useCurrentOrg();
  const [picked, setPicked] = useState("");
  // Once it is in, it is no longer offered.
  const chosen = outside.some(({ id }) => id === picked) ? picked : "";
  if (outside.length === 0) return <p className="mt-3 text-[0.83rem] text-muted">All machines are already in this group</p>;
  return (
    <div className="mt-3 flex flex-wrap gap-2">
      <select aria-label={`Machine to add to ${group.name}`} className="field min-w-40 flex-1" value={chosen} onChange={(event) => setPicked(event.target.value)}>
        <option value="">Choose a machine</option>
        {outside.map(({ id, name, tailnet_ip }) => (
          <option key={id} value={id}>
            {name} ({tailnet_ip})
          </option>
        ))}
      </select>
      <Button disabled={!chosen} onClick={() => onPlan(joining(org.id, group, [chosen]))}>
        <Plus /> Add
      </Button>
      <Button tone="ghost" onClick={onBulk}>
        Bulk Add
      </Button>
    </div>
  );
}
