import { from } from "@/api/from";
import { addRows, removeRow } from "@/api/rows";
import type { GroupMember, SegmentationGroup } from "@/api/tables";
import type { Planned } from "@/components/plans/planned-change";
import type { Changes } from "@/components/plans/queries";
import { deleting } from "@/components/plans/row-changes";
import { plural } from "@/lib/time";

type Group = Pick<SegmentationGroup, "id" | "name">;

/** Deletes a group. What names it is disabled; then its name must be typed. */
export function deletingGroup(group: Group, memberCount: number): Planned {
  const stay = memberCount === 0 ? "It has no machines." : memberCount === 1 ? "Its machine stays in the network." : `Its ${plural(memberCount, "machine")} stay in the network.`;
  return {
    ...deleting("segmentation_groups", group),
    note: `${stay} What names it is disabled.`,
    changes: () => ({ segmentation_groups: { delete: [{ id: group.id, force: true }] } }),
    typed: ({ changed = [] }) => (changed.length > 1 ? group.name : undefined),
  };
}

/** Puts machines into a group. */
export function joining(orgId: string, group: Group, machineIds: readonly string[]): Planned {
  return {
    title: `Add to ${group.name}`,
    done: `${plural(machineIds.length, "machine")} added to group`,
    changes: () => membersChanged(orgId, group, (present) => [...new Set([...present, ...machineIds])]),
    direct: () =>
      addRows(
        "segmentation_group_members",
        orgId,
        machineIds.map((machine_id) => ({ group_id: group.id, machine_id })),
      ),
  };
}

/** Takes a machine out of a group. */
export function leaving(orgId: string, group: Group, member: GroupMember, machineName: string): Planned {
  return {
    title: `Remove ${machineName} from ${group.name}`,
    action: "Remove",
    done: "Machine removed from the group",
    changes: () => membersChanged(orgId, group, (present) => present.filter((id) => id !== member.machine_id)),
    direct: () => removeRow("segmentation_group_members", orgId, member.id),
  };
}

// A plan takes all the members that a group is to have: those that somebody else has just added stay.
async function membersChanged(orgId: string, { id }: Group, change: (present: string[]) => string[]): Promise<Changes> {
  const present = await from("segmentation_group_members").in(orgId).eq("group_id", id).all();
  return { segmentation_groups: { update: [{ id, members: change(present.map(({ machine_id }) => machine_id)) }] } };
}
