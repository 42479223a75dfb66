import { useState } from "react";
import { call } from "@/api/client";
import { useCurrentOrg } from "@/api/current-org";
import type { Machine } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { actOnMachine } from "../queries";

interface Props {
  machine: Machine;
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

/** Wiping asks for three things: the words, the id, and proof that it is still the same person at the keyboard. */
export function WipeDialog({ machine, onClose, onDone }: Props) {
  const { org } = useCurrentOrg();
  const [password, setPassword] = useState("");
  const confirm = `WIPE-${machine.id}`;
  return (
    <Confirm
      title={`Wipe ${machine.name}?`}
      action="Wipe"
      typed={confirm}
      onClose={onClose}
      onConfirm={async () => {
        await call("/api/auth/step-up", { method: "POST", body: { password } });
        await actOnMachine(org.id, machine.id, "wipe_device", { confirm });
        toast.done(`The wipe of ${machine.name} is queued`);
        await onDone();
      }}
    >
      <p>The agent erases its keys and its state, and the machine leaves the network for good. This can't be undone.</p>
      <div className="mt-4 text-ink">
        <TextField
          label="Your password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </div>
    </Confirm>
  );
}
