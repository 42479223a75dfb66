import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError } from "@/api/error";
import { orgKey } from "@/api/keys";
import { removeRow } from "@/api/rows";
import type { AclRule, SegmentationGroup } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";

interface Props {
  group: SegmentationGroup;
  rules: readonly Pick<AclRule, "id" | "name">[];
  memberCount: number;
  onClose: () => void;
}

/** Deletes a group. While rules name it, it must be typed, and those rules are disabled. */
export function DeleteGroup({ group, rules, memberCount, onClose }: Props) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  // The control plane may know of rules that this page does not.
  const [told, setTold] = useState<Props["rules"]>([]);
  const naming = told.length > 0 ? told : rules;
  async function remove() {
    try {
      await removeRow("segmentation_groups", org.id, group.id, { force: naming.length > 0 });
    } catch (error) {
      if (error instanceof ApiError && error.code === "GROUP_IN_USE") setTold((error.more.rules ?? []) as Props["rules"]);
      throw error;
    }
    toast.done("Group deleted");
    await Promise.all(["segmentation_groups", "segmentation_group_members", "acl_rules"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
  }
  return (
    <Confirm title={`Delete ${group.name}?`} action="Delete" typed={naming.length > 0 ? group.name : undefined} onConfirm={remove} onClose={onClose}>
      <p>{memberCount > 0 ? `Its ${plural(memberCount, "machine")} stay in the network.` : "It has no machines."} This can't be undone.</p>
      {naming.length > 0 && (
        <div className="mt-3 rounded-lg bg-orange-soft px-3 py-2 text-orange">
          <p className="font-medium">{naming.length === 1 ? "A rule names it and is disabled:" : `${naming.length} rules name it and are disabled:`}</p>
          <ul className="mt-1 list-disc pl-4.5">
            {naming.map(({ id, name }) => (
              <li key={id}>{name}</li>
            ))}
          </ul>
        </div>
      )}
    </Confirm>
  );
}
