import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg } from "@/api/current-org";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { AuthKey } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { SwitchRow } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";

export function RevokeDialog({ authKey, onClose }: { authKey: AuthKey; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [quarantine, setQuarantine] = useState(true);
  const machines = useQuery({
    queryKey: orgKey(org.id, "machines", "of-key", narrowedBy({ auth_key_id: authKey.id })),
    queryFn: async ({ signal }) =>
      (await from("machines").in(org.id).eq("auth_key_id", authKey.id).select("id").limit(0).exactCount().window(signal)).total ?? 0,
  });
  return (
    <Confirm
      title={`Revoke ${authKey.name}?`}
      action="Revoke"
      onClose={onClose}
      onConfirm={async () => {
        const values = { org_id: org.id, key_id: authKey.id, quarantine_machines: quarantine };
        const { machines_quarantined } = await act("key-management", "revoke_auth_key", values);
        toast.done(machines_quarantined ? `Key revoked, ${plural(machines_quarantined, "machine")} quarantined` : "Key revoked");
        await client.invalidateQueries({ queryKey: orgKey(org.id, "auth_keys") });
      }}
    >
      <p>No machine can join with it any more. This can't be undone.</p>
      {machines.data !== undefined && machines.data > 0 && (
        <div className="mt-3 text-ink">
          <SwitchRow
            label={`Also quarantine its ${plural(machines.data, "machine")}`}
            hint="For a key that leaked: whoever joined with it is cut off."
            checked={quarantine}
            onChange={setQuarantine}
          />
        </div>
      )}
    </Confirm>
  );
}
