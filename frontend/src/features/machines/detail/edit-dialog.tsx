import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { ApiError } from "@/api/error";
import type { Machine } from "@/api/tables";
import { Failure } from "@/components/confirm";
import { Contest, useContest } from "@/components/contested";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { differing } from "@/lib/contested";
import { listOf } from "@/lib/list";
import { actOnMachine, machineQuery } from "../queries";

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

const labels = { name: "Name", tags: "Tags", routes: "Advertised subnets", shields_up: flagTexts.shields_up.label, ssh_enabled: flagTexts.ssh_enabled.label, accept_routes: flagTexts.accept_routes.label };

/** Name, tags, subnets and switches, saved in one call: all of it or none. */
export function EditDialog({ machine, onClose, onSaved }: Props) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const [opened] = useState(machine);
  const read = () => client.query({ ...machineQuery(org.id, machine.id), staleTime: 0 });
  const contest = useContest({ opened, present: machine, read, draftOf, blank: draftOf(machine) });
  const { draft, change } = contest;

  const save = useMutation({
    mutationFn: async () => {
      const seen = await contest.fresh();
      await actOnMachine(org.id, machine.id, "update", changesOf(draftOf(seen ?? machine), draft));
    },
    onSuccess: async () => {
      toast.done(`${draft.name} saved`);
      onClose();
      await onSaved();
    },
  });
  const { error } = save;
  const fieldError = (field: string) => (error instanceof ApiError && error.field === field ? error.message : null);
  const shownAtField = fieldError("name") ?? fieldError("tags") ?? fieldError("routes");

  function submit() {
    if (contest.changed) save.mutate();
    else onClose();
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
        <Contest noun="machine" labels={labels} contest={contest} />
        <TextField label="Name" value={draft.name} onChange={(event) => change({ name: event.target.value })} required maxLength={100} error={fieldError("name")} />
        {isAdmin && (
          <TextField
            label="Tags"
            value={draft.tags}
            onChange={(event) => change({ tags: event.target.value })}
            placeholder="web, production"
            hint="Separated by commas."
            error={fieldError("tags")}
          />
        )}
        <TextField
          label="Advertised subnets"
          value={draft.routes}
          onChange={(event) => change({ routes: event.target.value })}
          placeholder="192.168.1.0/24"
          className="font-mono"
          hint="Networks behind it that others may reach through it. New ones wait for approval."
          error={fieldError("routes")}
        />
        <div className="divide-y divide-line">
          {flagNames.map((flag) => (
            <SwitchRow key={flag} {...flagTexts[flag]} checked={draft[flag]} onChange={(on) => change({ [flag]: on })} />
          ))}
        </div>
        <Failure error={shownAtField ? null : error} />
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

type Draft = Pick<Machine, "name" | Flag> & { tags: string; routes: string };

function draftOf({ name, tags, advertised_routes, shields_up, ssh_enabled, accept_routes }: Machine): Draft {
  return { name, tags: tags.join(", "), routes: advertised_routes.join(", "), shields_up, ssh_enabled, accept_routes };
}

/** Only what changed is sent, so that saving never undoes what somebody else has just set. */
function changesOf(before: Draft, after: Draft): object {
  const changed = differing(before, after);
  const flags = Object.fromEntries(flagNames.filter((flag) => changed.includes(flag)).map((flag) => [flag, after[flag]]));
  return {
    ...(changed.includes("name") && { name: after.name.trim() }),
    ...(changed.includes("tags") && { tags: listOf(after.tags) }),
    ...(changed.includes("routes") && { advertised_routes: listOf(after.routes) }),
    ...(Object.keys(flags).length > 0 && { flags }),
  };
}
