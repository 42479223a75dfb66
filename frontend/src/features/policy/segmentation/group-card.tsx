import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { NamedMachine } from "@/api/named";
import { addRow, removeRow } from "@/api/rows";
import type { AclRule, GroupMember, SegmentationGroup } from "@/api/tables";
import { GroupDot } from "@/components/end-chips";
import { EditDelete } from "@/components/item-controls";
import { SmallTable } from "@/components/small-table";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { localDate, utcTime } from "@/lib/time";
import { BulkAddDialog } from "./bulk-add-dialog";
import { DeleteGroup } from "./delete-group";
import { GroupDialog } from "./group-dialog";
import { RulesBadge } from "./rules-badge";

interface Props {
  group: SegmentationGroup;
  members: GroupMember[] | undefined;
  machines: NamedMachine[];
  rules: AclRule[] | undefined;
}

const SHOWN = 6;

export function GroupCard({ group, members, machines, rules }: Props) {
  const isAdmin = useIsAdmin();
  const [dialog, setDialog] = useState<"edit" | "delete" | "bulk" | null>(null);
  const [all, setAll] = useState(false);
  const close = () => setDialog(null);
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
            <EditDelete name={group.name} onEdit={() => setDialog("edit")} onDelete={() => setDialog("delete")} />
          </div>
        )}
      </header>
      {members === undefined ? <SkeletonLines count={2} className="mt-3" /> : <Members group={group} members={all ? members : members.slice(0, SHOWN)} machines={machines} />}
      {members && members.length > SHOWN && (
        <Button tone="ghost" size="sm" className="mt-1" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${members.length}`}
        </Button>
      )}
      {isAdmin && members && <AddMachine group={group} outside={outside} onBulk={() => setDialog("bulk")} />}
      {dialog === "edit" && <GroupDialog group={group} onClose={close} />}
      {dialog === "delete" && <DeleteGroup group={group} rules={rules ?? []} memberCount={members?.length ?? 0} onClose={close} />}
      {dialog === "bulk" && <BulkAddDialog group={group} outside={outside} onClose={close} />}
    </section>
  );
}

function Members({ group, members, machines }: { group: SegmentationGroup; members: GroupMember[]; machines: NamedMachine[] }) {
  const isAdmin = useIsAdmin();
  const remove = useMembershipChange((member: GroupMember, orgId) => removeRow("segmentation_group_members", orgId, member.id), "Machine removed from the group");
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
                <Button tone="ghost" size="icon" className="size-7" aria-label={`Remove ${machine?.name ?? "machine"} from ${group.name}`} disabled={remove.isPending} onClick={() => remove.mutate(member)}>
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

function AddMachine({ group, outside, onBulk }: { group: SegmentationGroup; outside: NamedMachine[]; onBulk: () => void }) {
  const [chosen, setChosen] = useState("");
  const add = useMembershipChange((machineId: string, orgId) => addRow("segmentation_group_members", orgId, { group_id: group.id, machine_id: machineId }), "1 machine added to group");
  if (outside.length === 0) return <p className="mt-3 text-[0.83rem] text-muted">All machines are already in this group</p>;
  return (
    <div className="mt-3 flex flex-wrap gap-2">
      <select aria-label={`Machine to add to ${group.name}`} className="field min-w-40 flex-1" value={chosen} onChange={(event) => setChosen(event.target.value)}>
        <option value="">Choose a machine</option>
        {outside.map(({ id, name, tailnet_ip }) => (
          <option key={id} value={id}>
            {name} ({tailnet_ip})
          </option>
        ))}
      </select>
      <Button disabled={!chosen || add.isPending} onClick={() => add.mutate(chosen, { onSuccess: () => setChosen("") })}>
        <Plus /> Add
      </Button>
      <Button tone="ghost" onClick={onBulk}>
        Bulk Add
      </Button>
    </div>
  );
}

function useMembershipChange<T>(change: (what: T, orgId: string) => Promise<unknown>, done: string) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (what: T) => change(what, org.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: orgKey(org.id, "segmentation_group_members") });
      toast.done(done);
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
}
