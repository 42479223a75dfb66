import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Ban, Check, CirclePlay, EllipsisVertical, Eraser, KeyRound, Lock, LockOpen, Pencil, ScrollText, ShieldAlert, ShieldCheck, Trash2, X } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { Machine } from "@/api/tables";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { actOnMachine } from "../queries";
import { ActionDialog, type AskedAction } from "./action-dialogs";
import { EditDialog } from "./edit-dialog";
import { WipeDialog } from "./wipe-dialog";

type Asking = AskedAction | "edit" | "wipe";

/** Actions that need no dialog; `done` is what to say afterwards. */
interface DirectAction {
  action: "approve" | "unquarantine" | "enable" | "unlock_device" | "set_key_expiry";
  values?: { disabled: boolean };
  done: string;
}

/** Everything one may do to a machine, as far as the caller's role and the machine's state allow. */
export function MachineActions({ machine }: { machine: Machine }) {
  const { org, user } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const isOwner = machine.owner_id === user.id;
  const navigate = useNavigate();
  const client = useQueryClient();
  const [asking, setAsking] = useState<Asking | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: orgKey(org.id, "machines") });
  const direct = useMutation({
    mutationFn: ({ action, values }: DirectAction) => actOnMachine(org.id, machine.id, action, values),
    onSuccess: (_, { done }) => {
      toast.done(done);
      return refresh();
    },
    onError: (error) => toast.failed(messageOf(error)),
  });

  const pending = machine.status === "pending";
  const quarantined = machine.quarantine_reason !== null;
  const close = () => setAsking(null);
  const audit = () => void navigate({ to: "/audit-log", search: { resource: machine.id } });
  if (!isAdmin && !isOwner) {
    return (
      <Button onClick={audit}>
        <ScrollText /> Activity
      </Button>
    );
  }
  return (
    <>
      {isAdmin && pending && (
        <>
          <Button onClick={() => setAsking("reject")}>
            <X /> Reject
          </Button>
          <Button tone="primary" busy={direct.isPending} onClick={() => direct.mutate({ action: "approve", done: `${machine.name} approved` })}>
            <Check /> Approve
          </Button>
        </>
      )}
      {isAdmin && quarantined && (
        <Button tone="primary" busy={direct.isPending} onClick={() => direct.mutate({ action: "unquarantine", done: "Quarantine lifted" })}>
          <ShieldCheck /> Remove from quarantine
        </Button>
      )}
      {!pending && (
        <Button onClick={() => setAsking("edit")}>
          <Pencil /> Edit
        </Button>
      )}
      <Menu
        trigger={
          <Button size="icon" aria-label="More actions">
            <EllipsisVertical />
          </Button>
        }
      >
        {!pending &&
          (machine.admin_disabled ? (
            <MenuItem icon={<CirclePlay />} onSelect={() => direct.mutate({ action: "enable", done: `${machine.name} enabled` })}>
              Enable
            </MenuItem>
          ) : (
            <MenuItem icon={<Ban />} onSelect={() => setAsking("disable")}>
              Disable
            </MenuItem>
          ))}
        {isAdmin && !pending && !quarantined && (
          <MenuItem icon={<ShieldAlert />} onSelect={() => setAsking("quarantine")}>
            Quarantine
          </MenuItem>
        )}
        {isAdmin && !pending && (
          <>
            <MenuItem
              icon={<KeyRound />}
              onSelect={() =>
                direct.mutate({
                  action: "set_key_expiry",
                  values: { disabled: !machine.key_expiry_disabled },
                  done: machine.key_expiry_disabled ? "The key expires again" : "The key no longer expires",
                })
              }
            >
              {machine.key_expiry_disabled ? "Let its key expire" : "Stop its key from expiring"}
            </MenuItem>
            {machine.locked ? (
              <MenuItem icon={<LockOpen />} onSelect={() => direct.mutate({ action: "unlock_device", done: `${machine.name} unlocked` })}>
                Unlock
              </MenuItem>
            ) : (
              <MenuItem icon={<Lock />} onSelect={() => setAsking("lock_device")}>
                Lock
              </MenuItem>
            )}
          </>
        )}
        <MenuItem icon={<ScrollText />} onSelect={audit}>
          Activity
        </MenuItem>
        {isAdmin && (
          <>
            <MenuSeparator />
            {!pending && (
              <MenuItem icon={<Eraser />} danger onSelect={() => setAsking("wipe")}>
                Wipe
              </MenuItem>
            )}
            <MenuItem icon={<Trash2 />} danger onSelect={() => setAsking("delete")}>
              Delete
            </MenuItem>
          </>
        )}
      </Menu>
      {asking === "edit" && <EditDialog machine={machine} onClose={close} onSaved={refresh} />}
      {asking === "wipe" && <WipeDialog machine={machine} onClose={close} onDone={refresh} />}
      {asking !== null && asking !== "edit" && asking !== "wipe" && (
        <ActionDialog action={asking} machine={machine} onClose={close} onDone={refresh} onGone={() => void navigate({ to: "/machines" })} />
      )}
    </>
  );
}
