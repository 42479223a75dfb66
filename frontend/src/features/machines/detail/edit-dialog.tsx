import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import type { Machine } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { listOf } from "@/lib/list";
import { actOnMachine } from "../queries";

interface Props {
  machine: Machine;
  onClose: () => void;
  onSaved: () => Promise<unknown>;
}

const flagNames = ["shields_up", "ssh_enabled", "accept_routes"] as const;
type Flag = (typeof flagNames)[number];

const flagTexts: Record<Flag, { label: string; hint: string }> = {
  shields_up: { label: "Shields up", hint: "Refuse every incoming connection." },
  ssh_enabled: { label: "SSH", hint: "Say that an SSH server runs here." },
  accept_routes: { label: "Accept routes", hint: "Use the subnets that other machines offer." },
};

/** Name, tags, subnets and switches, saved in one call: all of it or none. */
export function EditDialog({ machine, onClose, onSaved }: Props) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const [name, setName] = useState(machine.name);
  const [tags, setTags] = useState(machine.tags.join(", "));
  const [routes, setRoutes] = useState(machine.advertised_routes.join(", "));
  const [flags, setFlags] = useState<Record<Flag, boolean>>(machine);

  const save = useMutation({
    mutationFn: () => actOnMachine(org.id, machine.id, "update", changes()),
    onSuccess: async () => {
      toast.done(`${name} saved`);
      onClose();
      await onSaved();
    },
  });
  const { error } = save;
  const fieldError = (field: string, code?: string) =>
    error instanceof ApiError && (error.field === field || error.code === code) ? error.message : null;
  const shownAtField = fieldError("name", "CONFLICT") ?? fieldError("tags") ?? fieldError("routes");

  // Only what changed is sent, so that saving never undoes what somebody else has just set.
  function changes(): object {
    const changedFlags = Object.fromEntries(flagNames.filter((flag) => flags[flag] !== machine[flag]).map((flag) => [flag, flags[flag]]));
    return {
      ...(name.trim() !== machine.name && { name: name.trim() }),
      ...(listOf(tags).join() !== machine.tags.join() && { tags: listOf(tags) }),
      ...(listOf(routes).join() !== machine.advertised_routes.join() && { advertised_routes: listOf(routes) }),
      ...(Object.keys(changedFlags).length > 0 && { flags: changedFlags }),
    };
  }
  function submit() {
    if (Object.keys(changes()).length === 0) onClose();
    else save.mutate();
  }
  return (
    <Dialog title="Edit Machine" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <TextField label="Name" value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} error={fieldError("name", "CONFLICT")} />
        {isAdmin && (
          <TextField
            label="Tags"
            value={tags}
            onChange={(event) => setTags(event.target.value)}
            placeholder="web, production"
            hint="Separated by commas."
            error={fieldError("tags")}
          />
        )}
        <TextField
          label="Advertised subnets"
          value={routes}
          onChange={(event) => setRoutes(event.target.value)}
          placeholder="192.168.1.0/24"
          className="font-mono"
          hint="Networks behind it that others may reach through it. New ones wait for approval."
          error={fieldError("routes")}
        />
        <div className="divide-y divide-line">
          {flagNames.map((flag) => (
            <SwitchRow key={flag} {...flagTexts[flag]} checked={flags[flag]} onChange={(on) => setFlags({ ...flags, [flag]: on })} />
          ))}
        </div>
        <FormFailure text={error && !shownAtField ? messageOf(error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={save.isPending}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
