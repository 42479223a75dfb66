import { useMutation } from "@tanstack/react-query";
import { act } from "@/api/act";
import type { PosturePreview } from "@/api/answers";
import { useCurrentOrg } from "@/api/current-org";
import type { OnFail, PosturePolicy } from "@/api/tables";
import { Failure } from "@/components/confirm";
import { Contest, useContested } from "@/components/contested";
import { PlannedForm, usePlanning } from "@/components/plans/planned-form";
import { saving } from "@/components/plans/row-changes";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { changedColumns } from "@/lib/contested";
import { plural } from "@/lib/time";
import { blankPolicy, draftOf, faultsOf, labels, policyValues, type PolicyDraft } from "./policy-draft";
import { posturePoliciesQuery } from "./queries";
import { titleOf } from "./requirements";

const systems = { linux: "Linux", macos: "macOS", windows: "Windows" };
const SHOWN_AT_FIELDS = ["name", "scope", "max_patch_age_days", "agent_version_min", "min_os_version", "grace_period_min"];

/** A policy's form, with the machines that would fail it whatever the mode. */
export function PolicyDrawer({ policy, onClose }: { policy: PosturePolicy | null; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const contest = useContested({ opened: policy, query: posturePoliciesQuery(org.id), draftOf, blank: blankPolicy });
  const { draft } = contest;
  const faults = faultsOf(draft);
  const planning = usePlanning({
    title: policy ? `Change ${policy.name}` : `Add ${draft.name.trim()}`,
    done: policy ? "Policy updated" : "Policy created",
    faults,
    async changes() {
      const seen = await contest.fresh();
      return saving("posture_policies", seen, seen ? changedColumns(policyValues(draftOf(seen)), policyValues(draft)) : { ...policyValues(draft), enabled: true });
    },
  });
  const failing = useMutation({ mutationFn: () => act("posture", "preview", { org_id: org.id, policy: { ...policyValues(draft), name: draft.name.trim() || "Preview" } }) });
  const change = (values: Partial<PolicyDraft>) => {
    contest.change(values);
    planning.reset();
    failing.reset();
  };
  const whoFails = (
    <Button busy={failing.isPending} disabled={failing.isPending || Object.keys(faults).length > 0} onClick={() => failing.mutate()}>
      Who would fail?
    </Button>
  );
  return (
    <Dialog as="drawer" title={policy ? `Edit ${policy.name}` : "Create policy"} onClose={onClose}>
      <PlannedForm planning={planning} shownAt={SHOWN_AT_FIELDS} disabled={contest.gone || (policy !== null && !contest.changed)} extra={whoFails} onClose={onClose}>
        <Contest noun="policy" labels={labels} contest={contest} />
        <TextField label="Name" required maxLength={100} value={draft.name} onChange={(event) => change({ name: event.target.value })} error={planning.errorAt("name")} />
        <TextField label="Description" maxLength={500} value={draft.description} onChange={(event) => change({ description: event.target.value })} />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label="Tags" placeholder="all machines" className="font-mono text-[0.85rem]" value={draft.tags} onChange={(event) => change({ tags: event.target.value })} error={planning.errorAt("scope")} />
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
          <TextField label="Patches not older than (days)" type="number" min={1} max={3650} placeholder="not asked" value={draft.patchAge} onChange={(event) => change({ patchAge: event.target.value })} error={planning.errorAt("max_patch_age_days")} />
          <TextField label="Agent not older than" placeholder="not asked" className="font-mono text-[0.85rem]" value={draft.agentVersion} onChange={(event) => change({ agentVersion: event.target.value })} error={planning.errorAt("agent_version_min")} />
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
        <TextField label="System not older than" placeholder="ubuntu 22.04, debian 12, macos 13.0" className="font-mono text-[0.85rem]" value={draft.versions} onChange={(event) => change({ versions: event.target.value })} error={planning.errorAt("min_os_version")} />
        <div className="grid gap-4 sm:grid-cols-2">
          <SelectField label="A machine that fails" value={draft.onFail} onChange={(event) => change({ onFail: event.target.value as OnFail })}>
            <option value="warn">is warned</option>
            <option value="restrict">loses tagged resources</option>
            <option value="quarantine">is quarantined</option>
          </SelectField>
          <TextField label="After (minutes)" type="number" required min={0} max={43200} value={draft.grace} onChange={(event) => change({ grace: event.target.value })} error={planning.errorAt("grace_period_min")} />
        </div>
        {failing.data && <WouldFail preview={failing.data} />}
        <Failure error={failing.error} />
      </PlannedForm>
    </Dialog>
  );
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
