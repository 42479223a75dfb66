import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import type { Machine } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { actOnMachine } from "../queries";

export type AskedAction = "disable" | "quarantine" | "lock_device" | "delete" | "reject";

interface Wording {
  verb: string;
  text: string;
  done: string;
  reason: boolean;
  /** The machine is no more afterwards. */
  final: boolean;
}

const wordings: Record<AskedAction, Wording> = {
  disable: {
    verb: "Disable",
    text: "It loses its peers within a second and stays out until it is enabled again.",
    done: "disabled",
    reason: false,
    final: false,
  },
  quarantine: {
    verb: "Quarantine",
    text: "It is cut off from every peer and from the relays within a second, until an administrator lifts the quarantine.",
    done: "quarantined",
    reason: true,
    final: false,
  },
  lock_device: {
    verb: "Lock",
    text: "The agent leaves the network and refuses local commands until it is unlocked.",
    done: "locked",
    reason: true,
    final: false,
  },
  delete: {
    verb: "Delete",
    text: "It leaves the network for good. It can only come back with a new sign-in or auth key, as a new machine.",
    done: "deleted",
    reason: false,
    final: true,
  },
  reject: {
    verb: "Reject",
    text: "It is removed and can only come back with a new sign-in or auth key.",
    done: "rejected",
    reason: false,
    final: true,
  },
};

interface Props {
  action: AskedAction;
  machine: Machine;
  onClose: () => void;
  onDone: () => Promise<unknown>;
  onGone: () => void;
}

export function ActionDialog({ action, machine, onClose, onDone, onGone }: Props) {
  const { org } = useCurrentOrg();
  const [reason, setReason] = useState("");
  const { verb, text, done, reason: asksReason, final } = wordings[action];
  return (
    <Confirm
      title={`${verb} ${machine.name}?`}
      action={verb}
      onClose={onClose}
      onConfirm={async () => {
        await actOnMachine(org.id, machine.id, action, reason.trim() ? { reason: reason.trim() } : {});
        toast.done(`${machine.name} ${done}`);
        if (final) onGone();
        await onDone();
      }}
    >
      <p>{text}</p>
      {asksReason && (
        <div className="mt-4 text-ink">
          <TextField label="Reason" placeholder="Optional, kept in the audit log" maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </div>
      )}
    </Confirm>
  );
}
