import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { FormFailure } from "@/components/confirm";
import { Command, SecretOnce } from "@/components/copy";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { listOf } from "@/lib/list";

interface Draft {
  name: string;
  reusable: boolean;
  ephemeral: boolean;
  preApproved: boolean;
  expiryDays: string;
  maxUses: string;
  tags: string;
  cidrs: string;
}

const blank: Draft = { name: "", reusable: false, ephemeral: false, preApproved: false, expiryDays: "90", maxUses: "", tags: "", cidrs: "" };

export function CreateDialog({ onClose }: { onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [draft, setDraft] = useState(blank);
  const change = (values: Partial<Draft>) => setDraft({ ...draft, ...values });
  const create = useMutation({
    mutationFn: () => act("key-management", "create_auth_key", { org_id: org.id, ...requestOf(draft) }),
    onSuccess: () => client.invalidateQueries({ queryKey: orgKey(org.id, "auth_keys") }),
  });
  if (create.data) return <Created secret={create.data.key} onClose={onClose} />;
  return (
    <Dialog title="Create auth key" description="Whoever holds it can bring machines into this network." onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField label="Name" required maxLength={100} placeholder="build servers" value={draft.name} onChange={(event) => change({ name: event.target.value })} />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label="Days until it expires" type="number" required min={1} max={365} value={draft.expiryDays} onChange={(event) => change({ expiryDays: event.target.value })} />
          {draft.reusable && (
            <TextField label="Most machines" type="number" min={1} placeholder="No limit" value={draft.maxUses} onChange={(event) => change({ maxUses: event.target.value })} />
          )}
        </div>
        <div className="divide-y divide-line">
          <SwitchRow label="Reusable" hint="For more than one machine." checked={draft.reusable} onChange={(reusable) => change({ reusable })} />
          <SwitchRow label="Ephemeral" hint="Its machines are removed when they go offline." checked={draft.ephemeral} onChange={(ephemeral) => change({ ephemeral })} />
          <SwitchRow label="Pre-approved" hint="Its machines need no approval." checked={draft.preApproved} onChange={(preApproved) => change({ preApproved })} />
        </div>
        <TextField label="Tags" placeholder="web, production" hint="Put on every machine it enrols." value={draft.tags} onChange={(event) => change({ tags: event.target.value })} />
        <TextField
          label="Allowed networks"
          placeholder="203.0.113.0/24"
          className="font-mono"
          hint="Only machines from these addresses may use it. Empty: from anywhere."
          value={draft.cidrs}
          onChange={(event) => change({ cidrs: event.target.value })}
        />
        <FormFailure text={create.error ? messageOf(create.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={create.isPending}>
            Create
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function requestOf(draft: Draft): object {
  const tags = listOf(draft.tags);
  const cidrs = listOf(draft.cidrs);
  return {
    name: draft.name.trim(),
    reusable: draft.reusable,
    ephemeral: draft.ephemeral,
    pre_approved: draft.preApproved,
    expiry_days: Number(draft.expiryDays),
    ...(draft.reusable && draft.maxUses && { max_uses: Number(draft.maxUses) }),
    ...(tags.length > 0 && { tags }),
    ...(cidrs.length > 0 && { allowed_cidrs: cidrs }),
  };
}

function Created({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog title="Your auth key" onClose={onClose} dismissable={false}>
      <div className="grid gap-5">
        <SecretOnce secret={secret} label="auth key" />
        <div className="grid gap-2">
          <p className="text-[0.83rem] font-medium">On the machine</p>
          <Command text={`sudo ZTNA_AUTH_KEY=${secret} ztna login --api-url ${location.origin}`} />
        </div>
        <DialogActions>
          <Button tone="primary" onClick={onClose}>
            Done
          </Button>
        </DialogActions>
      </div>
    </Dialog>
  );
}
