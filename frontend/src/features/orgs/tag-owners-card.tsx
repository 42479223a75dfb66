import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import { removeRow } from "@/api/rows";
import type { TagOwner } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { SmallTable } from "@/components/small-table";
import { QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { useChannels } from "@/realtime/provider";
import { TagOwnerDialog } from "./tag-owner-dialog";
import { tagOwnersQuery } from "./tag-owners";

/** Who may put which tag on his own machines. */
export function TagOwnersCard() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("machines");
  const query = useQuery(tagOwnersQuery(org.id));
  const [adding, setAdding] = useState(false);
  return (
    <Card
      title="Tag Owners"
      subtitle="Members who may put a tag on their own machines. All others need an administrator, for rules hang on tags."
      actions={
        isAdmin && (
          <Button size="sm" onClick={() => setAdding(true)}>
            <Plus /> Add owner
          </Button>
        )
      }
    >
      <QueryView query={query} skeleton={<SkeletonLines count={2} />}>{(owners) => (owners.length === 0 ? <p className="py-1 text-muted">None. Only administrators change tags.</p> : <Owners owners={owners} />)}</QueryView>
      {adding && <TagOwnerDialog owners={query.data ?? []} onClose={() => setAdding(false)} />}
    </Card>
  );
}

function Owners({ owners }: { owners: TagOwner[] }) {
  const isAdmin = useIsAdmin();
  const [leaving, setLeaving] = useState<TagOwner | null>(null);
  return (
    <>
      <SmallTable label="Tag owners" columns={["Tag", "Owner"]} removable={isAdmin}>
        {owners.map((owner) => (
          <tr key={owner.id} className="border-t border-line">
            <td className="max-w-40 py-1.5 break-words">
              <Badge mono colour="blue">
                {owner.tag}
              </Badge>
            </td>
            <td className="w-full max-w-0 truncate py-1.5 pl-3" title={owner.principal_email}>
              {owner.principal_email}
            </td>
            {isAdmin && (
              <td className="pl-2 text-right">
                <Button tone="ghost" size="icon" aria-label={`Take ${owner.tag} from ${owner.principal_email}`} onClick={() => setLeaving(owner)}>
                  <Trash2 />
                </Button>
              </td>
            )}
          </tr>
        ))}
      </SmallTable>
      {leaving && <RemoveOwner owner={leaving} onClose={() => setLeaving(null)} />}
    </>
  );
}

function RemoveOwner({ owner, onClose }: { owner: TagOwner; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return (
    <Confirm
      title={`Take ${owner.tag} from ${owner.principal_email}?`}
      action="Remove"
      onClose={onClose}
      onConfirm={async () => {
        await removeRow("tag_owners", org.id, owner.id);
        await client.invalidateQueries({ queryKey: orgKey(org.id, "tag_owners") });
        toast.done("Tag owner removed");
      }}
    >
      He can no longer set or remove it. Machines that have the tag keep it.
    </Confirm>
  );
}
