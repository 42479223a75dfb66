import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import type { PosturePreview } from "@/api/answers";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { addRow, changeRow } from "@/api/rows";
import type { OnFail, PosturePolicy } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";
import { blankPolicy, draftOf, policyValues, VersionFault, type PolicyDraft } from "./policy-draft";
import { titleOf } from "./requirements";

const systems = { linux: "Linux", macos: "macOS", windows: "Windows" };

/** A policy's form, with the machines that would fail it before it is saved. */
export function PolicyDrawer({ policy, onClose }: { policy: PosturePolicy | null; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [draft, setDraft] = useState(() => (policy ? draftOf(policy) : blankPolicy));
  const preview = useMutation({ mutationFn: () => withValues(draft, (values) => act("posture", "preview", { org_id: org.id, policy: { ...values, name: values.name || "Preview" } })) });
  const save = useMutation({
    mutationFn: () => withValues<unknown>(draft, (values) => (policy ? changeRow("posture_policies", org.id, policy.id, values) : addRow("posture_policies", org.id, { ...values, enabled: true }))),
    onSuccess: async () => {
      await Promise.all(["posture_policies", "posture_reports"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
      toast.done(policy ? "Policy updated" : "Policy created");
      onClose();
    },
  });
  const change = (values: Partial<PolicyDraft>) => {
    setDraft({ ...draft, ...values });
    preview.reset();
  };
  const failure = save.error ?? preview.error;
  const errorAt = (field: string) => (failure instanceof ApiError && failure.field === field ? failure.message : null);
  const versionFault = failure instanceof VersionFault ? failure.message : errorAt("min_os_version");
  return (
    <Dialog as="drawer" title={policy ? `Edit ${policy.name}` : "Create policy"} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <TextField label="Name" required maxLength={100} value={draft.name} onChange={(event) => change({ name: event.target.value })} error={errorAt("name")} />
        <TextField label="Description" maxLength={500} value={draft.description} onChange={(event) => change({ description: event.target.value })} />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label="Tags" placeholder="all machines" className="font-mono text-[0.85rem]" value={draft.tags} onChange={(event) => change({ tags: event.target.value })} error={errorAt("scope")} />
          <TextField label="Groups" placeholder="all machines" value={draft.groups} onChange={(event) => change({ groups: event.target.value })} />
        </div>
        <div className="divide-y divide-line rounded-xl border border-line px-3.5">
          <SwitchRow label="Disk encryption" checked={draft.disk} onChange={(disk) => change({ disk })} />
          <SwitchRow label="Firewall" checked={draft.firewall} onChange={(firewall) => change({ firewall })} />
          <SwitchRow label="Antivirus" checked={draft.antivirus} onChange={(antivirus) => change({ antivirus })} />
          <SwitchRow label="Automatic updates" checked={draft.autoUpdate} onChange={(autoUpdate) => change({ autoUpdate })} />
          <SwitchRow label="Screen lock" checked={draft.screenLock} onChange={(screenLock) => change({ screenLock })} />
        </div>
        <div className="grid gap-4 sm:grid-cols-2">
          {draft.screenLock && <TextField label="Locks within (minutes)" type="number" min={1} max={1440} placeholder="any time" value={draft.idleMinutes} onChange={(event) => change({ idleMinutes: event.target.value })} />}
          <TextField label="Patches not older than (days)" type="number" min={1} max={3650} placeholder="not asked" value={draft.patchAge} onChange={(event) => change({ patchAge: event.target.value })} error={errorAt("max_patch_age_days")} />
          <TextField label="Agent not older than" placeholder="not asked" className="font-mono text-[0.85rem]" value={draft.agentVersion} onChange={(event) => change({ agentVersion: event.target.value })} error={errorAt("agent_version_min")} />
        </div>
        <fieldset>
          <legend className="mb-1.5 text-[0.83rem] font-medium">
            Systems {draft.systems.length === 0 && <span className="font-normal text-muted">any</span>}
          </legend>
          <div className="flex flex-wrap gap-4">
            {Object.entries(systems).map(([value, text]) => (
              <label key={value} className="flex cursor-pointer items-center gap-2">
                <input
                  type="checkbox"
                  className="size-4 accent-accent"
                  checked={draft.systems.includes(value)}
                  onChange={(event) => change({ systems: event.target.checked ? [...draft.systems, value] : draft.systems.filter((other) => other !== value) })}
                />
                {text}
              </label>
            ))}
          </div>
        </fieldset>
        <TextField label="System not older than" placeholder="ubuntu 22.04, debian 12, macos 13.0" className="font-mono text-[0.85rem]" value={draft.versions} onChange={(event) => change({ versions: event.target.value })} error={versionFault} />
        <div className="grid gap-4 sm:grid-cols-2">
          <SelectField label="A machine that fails" value={draft.onFail} onChange={(event) => change({ onFail: event.target.value as OnFail })}>
            <option value="warn">is warned</option>
            <option value="restrict">loses tagged resources</option>
            <option value="quarantine">is quarantined</option>
          </SelectField>
          <TextField label="After (minutes)" type="number" required min={0} max={43200} value={draft.grace} onChange={(event) => change({ grace: event.target.value })} error={errorAt("grace_period_min")} />
        </div>
        {preview.data && <WouldFail preview={preview.data} />}
        <FormFailure text={failure && !(failure instanceof VersionFault) && !(failure instanceof ApiError && failure.field) ? messageOf(failure) : null} />
        <DialogActions>
          <Button busy={preview.isPending} onClick={() => preview.mutate()}>
            Who would fail?
          </Button>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={save.isPending}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** Runs `work` with the form's values; what the form can't say in columns becomes its failure. */
async function withValues<T>(draft: PolicyDraft, work: (values: ReturnType<typeof policyValues>) => Promise<T>): Promise<T> {
  return work(policyValues(draft));
}

function WouldFail({ preview }: { preview: PosturePreview }) {
  return (
    <section aria-live="polite" className="rounded-xl bg-sunken px-3.5 py-3 text-[0.87rem]">
      <p className="font-medium">
        {preview.would_fail.length === 0 ? "None" : preview.would_fail.length} of {plural(preview.machines_in_scope, "machine")} would fail
        {preview.never_reported.length > 0 && `; ${preview.never_reported.length} never reported`}
      </p>
      <ul className="mt-1 grid gap-1">
        {preview.would_fail.slice(0, 20).map(({ id, name, violations }) => (
          <li key={id}>
            <span className="font-medium">{name}</span> <span className="text-muted">{violations.map(titleOf).join(", ")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
