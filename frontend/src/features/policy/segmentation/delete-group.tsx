import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError } from "@/api/error";
import { orgKey } from "@/api/keys";
import { removeRow } from "@/api/rows";
import type { AclRule, SegmentationGroup } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { toast } from "@/components/ui/toast";
import { nounOf } from "@/lib/table-nouns";
import { plural } from "@/lib/time";
import { attributedQuery, namingIn, policiesNaming, scopedQuery, type Naming } from "./queries";

interface Props {
  group: SegmentationGroup;
  rules: readonly Pick<AclRule, "id" | "name">[];
  memberCount: number;
  onClose: () => void;
}

const tables: Record<string, string> = { acl_rule: "acl_rules", abac_policy: "abac_policies", posture_policy: "posture_policies" };
const changed = ["segmentation_groups", "segmentation_group_members", "posture_reports", ...Object.values(tables)];

/** Deletes a group. While rules or policies name it, it must be typed, and those are disabled. */
export function DeleteGroup({ group, rules, memberCount, onClose }: Props) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const { data: attributed = [] } = useQuery(attributedQuery(org.id));
  const { data: scoped = [] } = useQuery(scopedQuery(org.id));
  // The control plane may know of more than this page does.
  const [told, setTold] = useState<readonly Naming[]>([]);
  const known = [...rules.map(({ id, name }) => ({ kind: "acl_rule", id, name })), ...policiesNaming(attributed, scoped, group.name)];
  const naming = told.length > 0 ? told : known;
  async function remove() {
    try {
      await removeRow("segmentation_groups", org.id, group.id, { force: naming.length > 0 });
    } catch (error) {
      if (error instanceof ApiError && error.code === "GROUP_IN_USE") setTold(namingIn(error.more));
      throw error;
    }
    toast.done("Group deleted");
    await Promise.all(changed.map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
  }
  return (
    <Confirm title={`Delete ${group.name}?`} action="Delete" typed={naming.length > 0 ? group.name : undefined} onConfirm={remove} onClose={onClose}>
      <p>{staying(memberCount)} This can't be undone.</p>
      {naming.length > 0 && (
        <div className="mt-3 rounded-lg bg-orange-soft px-3 py-2 text-orange">
          <p className="font-medium">{naming.length === 1 ? "This names it and is disabled:" : `${naming.length} rules and policies name it and are disabled:`}</p>
          <ul className="mt-1 list-disc pl-4.5">
            {naming.map(({ kind, id, name }) => (
              <li key={id}>
                {nounOf(tables[kind] ?? kind)} <span className="font-medium">{name}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Confirm>
  );
}

function staying(machines: number): string {
  if (machines === 0) return "It has no machines.";
  return machines === 1 ? "Its machine stays in the network." : `Its ${plural(machines, "machine")} stay in the network.`;
}
