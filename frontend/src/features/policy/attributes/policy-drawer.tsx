import { useCurrentOrg } from "@/api/current-org";
import type { AbacPolicy, Role } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { Contest, useContested } from "@/components/contested";
import type { EndNames } from "@/components/end-chips";
import { EndField } from "@/components/end-field";
import { PlannedForm, usePlanning } from "@/components/plans/planned-form";
import { saving } from "@/components/plans/row-changes";
import { Dialog } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { changedColumns } from "@/lib/contested";
import { Checks, TimezoneField } from "../condition-fields";
import { dayNames, days, systems } from "../rules/conditions";
import { blankAbac, draftOf, faultsOf, labels, valuesOf, type AbacDraft } from "./policy-draft";
import { abacQuery } from "./queries";

const roles: Record<Role, string> = { owner: "Owners", admin: "Admins", member: "Members", auditor: "Auditors" };

interface Props {
  policy: AbacPolicy | null;
  names: EndNames;
  onClose: () => void;
}

export function PolicyDrawer({ policy, names, onClose }: Props) {
  const { org } = useCurrentOrg();
  const asDraft = (row: AbacPolicy) => draftOf(row, names.machine);
  const contest = useContested({ opened: policy, query: abacQuery(org.id), draftOf: asDraft, blank: blankAbac });
  const { draft } = contest;
  const planning = usePlanning({
    title: policy ? `Change ${policy.name}` : `Add ${draft.name.trim()}`,
    done: policy ? "Policy updated" : "Policy added",
    faults: faultsOf(draft),
    async changes() {
      const seen = await contest.fresh();
      return saving("abac_policies", seen, seen ? changedColumns(valuesOf(asDraft(seen)), valuesOf(draft)) : valuesOf(draft));
    },
  });
  const change = (values: Partial<AbacDraft>) => {
    contest.change(values);
    planning.reset();
  };
  return (
    <Dialog as="drawer" title={policy ? `Edit ${policy.name}` : "Add attribute policy"} onClose={onClose}>
      <PlannedForm planning={planning} shownAt={["name", "selector", "priority", "conditions"]} disabled={contest.gone || (policy !== null && !contest.changed)} onClose={onClose}>
        <Contest noun="policy" labels={labels} contest={contest} />
        <TextField label="Name" required maxLength={100} placeholder="Only in office hours" value={draft.name} onChange={(event) => change({ name: event.target.value })} error={planning.errorAt("name")} />
        <EndField label="Sources" hint="Whose connections it is held against." value={draft.selector} onChange={(selector) => change({ selector })} error={planning.errorAt("selector")} />
        <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_6.5rem]">
          <SelectField label="Effect" value={draft.effect} onChange={(event) => change({ effect: event.target.value as AbacDraft["effect"] })}>
            <option value="require">Require: deny unless all of this holds</option>
            <option value="deny">Deny: deny if all of this holds</option>
          </SelectField>
          <TextField label="Priority" type="number" required min={0} max={100000} value={draft.priority} onChange={(event) => change({ priority: event.target.value })} error={planning.errorAt("priority")} />
        </div>
        <div className="grid grid-cols-2 gap-4 sm:grid-cols-[7rem_7rem_minmax(0,1fr)]">
          <TextField label="From" type="time" value={draft.from} onChange={(event) => change({ from: event.target.value })} />
          <TextField label="Until" type="time" value={draft.until} onChange={(event) => change({ until: event.target.value })} />
          <div className="col-span-2 sm:col-span-1">
            <TimezoneField value={draft.timezone} onChange={(timezone) => change({ timezone })} error={null} />
          </div>
        </div>
        <Checks label="Days" options={dayNames} chosen={draft.days} onChange={(chosen) => change({ days: days.filter((day) => chosen.includes(day)) })} />
        <Checks label="System" options={systems} chosen={draft.systems} onChange={(chosen) => change({ systems: chosen })} />
        <Checks label="Role of the owner" options={roles} chosen={draft.roles} onChange={(chosen) => change({ roles: chosen as Role[] })} />
        <SelectField label="Health" value={draft.posture} onChange={(event) => change({ posture: event.target.value as AbacDraft["posture"] })}>
          <option value="">any</option>
          <option value="compliant">meets the posture policies</option>
          <option value="non_compliant">does not meet them</option>
        </SelectField>
        <TextField label="Tags" className="font-mono text-[0.85rem]" value={draft.tags} onChange={(event) => change({ tags: event.target.value })} hint="Any of these." />
        <TextField label="Countries" placeholder="DE, IN" value={draft.countries} onChange={(event) => change({ countries: event.target.value })} />
        <TextField label="Networks" placeholder="203.0.113.0/24" className="font-mono text-[0.85rem]" value={draft.networks} onChange={(event) => change({ networks: event.target.value })} hint="Where its public address lies." />
        <FormFailure text={planning.errorAt("conditions")} />
      </PlannedForm>
    </Dialog>
  );
}
