import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { act } from "@/api/act";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import { Confirm } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { toast } from "@/components/ui/toast";

/** The emergency stop of an organisation. */
export function LockdownCard({ locked }: { locked: boolean }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const action = locked ? "Lift lockdown" : "Lock down";
  if (!isAdmin) return null;
  return (
    <Card title="Lockdown" subtitle={locked ? "In force: no machine reaches another, whatever the rules say." : "For an emergency: denies every connection between machines within a second, whatever the rules say."}>
      <Button tone={locked ? "primary" : "danger"} onClick={() => setAsking(true)}>
        {action}
      </Button>
      {asking && (
        <Confirm
          title={locked ? "Let the rules count again?" : `Cut every connection in ${org.name}?`}
          action={action}
          danger={!locked}
          typed={org.slug}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await act("org-management", "update_org_settings", { org_id: org.id, lockdown_mode: !locked, confirm: org.slug });
            await client.invalidateQueries({ queryKey: orgKey(org.id, "org_settings") });
            toast.done(locked ? "Lockdown lifted" : `${org.name} is locked down`);
          }}
        >
          {locked ? "What the rules allow is open again at once." : "Open connections are cut too. Machines stay enrolled, and the console keeps working."}
        </Confirm>
      )}
    </Card>
  );
}
