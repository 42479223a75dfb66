import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, X } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { Machine } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { Timestamp } from "@/components/timestamp";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { actOnMachine } from "./queries";

/** Machines that wait, each with Approve and Reject for those who may. */
export function PendingList({ machines }: { machines: Machine[] }) {
  return (
    <ul className="divide-y divide-line">
      {machines.map((machine) => (
        <PendingRow key={machine.id} machine={machine} />
      ))}
    </ul>
  );
}

function PendingRow({ machine }: { machine: Machine }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [rejecting, setRejecting] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: orgKey(org.id, "machines") });
  const approve = useMutation({
    mutationFn: () => actOnMachine(org.id, machine.id, "approve"),
    onSuccess: () => {
      toast.done(`${machine.name} approved`);
      return refresh();
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 py-2.5 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1 basis-44">
        <p className="truncate font-medium">{machine.name}</p>
        <p className="text-[0.83rem] text-muted">
          <span className="font-mono">{machine.tailnet_ip}</span>, {machine.os}, since <Timestamp at={machine.created_at} />
        </p>
      </div>
      {useIsAdmin() && (
        <div className="flex gap-2">
          <Button size="sm" onClick={() => setRejecting(true)} aria-label={`Reject ${machine.name}`}>
            <X /> Reject
          </Button>
          <Button size="sm" tone="primary" busy={approve.isPending} onClick={() => approve.mutate()} aria-label={`Approve ${machine.name}`}>
            <Check /> Approve
          </Button>
        </div>
      )}
      {rejecting && (
        <Confirm
          title={`Reject ${machine.name}?`}
          action="Reject"
          onClose={() => setRejecting(false)}
          onConfirm={async () => {
            await actOnMachine(org.id, machine.id, "reject");
            toast.done(`${machine.name} rejected`);
            await refresh();
          }}
        >
          It is removed and can only come back with a new sign-in or auth key.
        </Confirm>
      )}
    </li>
  );
}
