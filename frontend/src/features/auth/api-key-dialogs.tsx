import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { ApiKey } from "@/api/tables";
import { Confirm, FormFailure } from "@/components/confirm";
import { SecretOnce } from "@/components/copy";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { scopeWords } from "./scopes";

const RATES = [30, 60, 120, 300, 1000];
const OVERLAPS = [0, 1, 24, 72];

/** The organisation on screen, and how to read its keys again after a change. */
function useKeys() {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return { orgId: org.id, refresh: () => client.invalidateQueries({ queryKey: orgKey(org.id, "api_keys") }) };
}

export function CreateApiKeyDialog({ onClose }: { onClose: () => void }) {
  const { orgId, refresh } = useKeys();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>([]);
  const [rate, setRate] = useState("60");
  const [days, setDays] = useState("30");
  const create = useMutation({
    mutationFn: () =>
      act("key-management", "create_api_key", {
        org_id: orgId,
        name: name.trim(),
        scopes,
        rate_limit_rpm: Number(rate),
        expiry_days: Number(days),
      }),
    onSuccess: refresh,
  });
  if (create.data) return <KeyOnce secret={create.data.key} onClose={onClose} />;
  return (
    <Dialog title="Create API Key" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField label="Name" required maxLength={100} placeholder="backup job" value={name} onChange={(event) => setName(event.target.value)} />
        <ScopeBoxes chosen={scopes} onChange={setScopes} />
        <div className="grid gap-4 sm:grid-cols-2">
          <SelectField label="Calls per minute" value={rate} onChange={(event) => setRate(event.target.value)}>
            {RATES.map((value) => (
              <option key={value}>{value}</option>
            ))}
          </SelectField>
          <TextField label="Days until it expires" type="number" required min={1} max={90} value={days} onChange={(event) => setDays(event.target.value)} />
        </div>
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

function ScopeBoxes({ chosen, onChange }: { chosen: string[]; onChange: (scopes: string[]) => void }) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-[0.83rem] font-medium">Scopes</legend>
      <div className="grid grid-cols-2 gap-x-4 gap-y-2 sm:grid-cols-4">
        {scopeWords.map((scope) => (
          <label key={scope} className="flex items-center gap-2 font-mono text-[0.83rem]">
            <input
              type="checkbox"
              className="size-4 accent-(--accent)"
              checked={chosen.includes(scope)}
              onChange={({ target }) => onChange(target.checked ? [...chosen, scope] : chosen.filter((other) => other !== scope))}
            />
            {scope}
          </label>
        ))}
      </div>
      <p className="mt-1.5 text-[0.8rem] text-muted">
        {chosen.length === 0 ? "Without a scope the key may do nothing." : chosen.includes("admin") ? "admin is full access." : "Resources get the highest verb chosen; verbs without resources apply to all."}
      </p>
    </fieldset>
  );
}

export function RotateApiKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const { orgId, refresh } = useKeys();
  const [hours, setHours] = useState("0");
  const rotate = useMutation({
    mutationFn: () => act("key-management", "rotate_api_key", { org_id: orgId, key_id: apiKey.id, grace_hours: Number(hours) }),
    onSuccess: refresh,
  });
  if (rotate.data) return <KeyOnce secret={rotate.data.key} onClose={onClose} />;
  return (
    <Dialog title={`Rotate ${apiKey.name}?`} description="A new key takes over its name, scopes and rate." onClose={onClose}>
      <SelectField label="The old key works on for" value={hours} onChange={(event) => setHours(event.target.value)}>
        {OVERLAPS.map((value) => (
          <option key={value} value={value}>
            {value === 0 ? "No time" : `${value} h`}
          </option>
        ))}
      </SelectField>
      <FormFailure text={rotate.error ? messageOf(rotate.error) : null} />
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button tone="primary" busy={rotate.isPending} onClick={() => rotate.mutate()}>
          Rotate
        </Button>
      </DialogActions>
    </Dialog>
  );
}

export function RevokeApiKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const { orgId, refresh } = useKeys();
  return (
    <Confirm
      title="Revoke API key?"
      action="Revoke"
      onClose={onClose}
      onConfirm={async () => {
        await act("key-management", "revoke_api_key", { org_id: orgId, key_id: apiKey.id });
        toast.done(`${apiKey.name} revoked`);
        await refresh();
      }}
    >
      Programs that use <strong className="font-medium text-ink">{apiKey.name}</strong> are refused from now on. This can't be undone.
    </Confirm>
  );
}

function KeyOnce({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog title="Your API key" onClose={onClose} dismissable={false}>
      <SecretOnce secret={secret} label="API key" />
      <DialogActions>
        <Button tone="primary" onClick={onClose}>
          Done
        </Button>
      </DialogActions>
    </Dialog>
  );
}
