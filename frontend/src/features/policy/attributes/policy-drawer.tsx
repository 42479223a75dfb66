import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { addRow, changeRow } from "@/api/rows";
import type { AbacPolicy, Role } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import type { EndNames } from "@/components/end-chips";
import { EndField } from "@/components/end-field";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { Checks, TimezoneField } from "../condition-fields";
import { dayNames, days, systems } from "../rules/conditions";
import { blankAbac, draftOf, faultsOf, valuesOf, type AbacDraft } from "./policy-draft";

const roles: Record<Role, string> = { owner: "Owners", admin: "Admins", member: "Members", auditor: "Auditors" };

interface Props {
  policy: AbacPolicy | null;
  names: EndNames;
  onClose: () => void;
}

export function PolicyDrawer({ policy, names, onClose }: Props) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [draft, setDraft] = useState<AbacDraft>(() => (policy ? draftOf(policy, names.machine) : blankAbac));
  const [tried, setTried] = useState(false);
  const change = (values: Partial<AbacDraft>) => setDraft({ ...draft, ...values });
  const faults = faultsOf(draft);
  const save = useMutation({
    mutationFn: async () => {
      await (policy ? changeRow("abac_policies", org.id, policy.id, valuesOf(draft)) : addRow("abac_policies", org.id, valuesOf(draft)));
    },
    onSuccess: async () => {
      await Promise.all(["abac_policies", "evaluation"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
      toast.done(policy ? "Policy updated" : "Policy added");
      onClose();
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const errorAt = (field: string) => (tried ? (faults[field] ?? (refused?.field === field ? refused.message : null)) : null);
  const atFields = ["name", "selector", "priority"].some((field) => refused?.field === field);
  return (
    <Dialog as="drawer" title={policy ? `Edit ${policy.name}` : "Add attribute policy"} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (Object.keys(faults).length === 0) save.mutate();
        }}
      >
        <TextField label="Name" required maxLength={100} placeholder="Only in office hours" value={draft.name} onChange={(event) => change({ name: event.target.value })} error={errorAt("name")} />
        <EndField label="Sources" hint="Whose connections it is held against." value={draft.selector} onChange={(selector) => change({ selector })} error={errorAt("selector")} />
        <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_6.5rem]">
          <SelectField label="Effect" value={draft.effect} onChange={(event) => change({ effect: event.target.value as AbacDraft["effect"] })}>
            <option value="require">Require: deny unless all of this holds</option>
            <option value="deny">Deny: deny if all of this holds</option>
          </SelectField>
          <TextField label="Priority" type="number" required min={0} max={100000} value={draft.priority} onChange={(event) => change({ priority: event.target.value })} error={errorAt("priority")} />
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
        <FormFailure text={errorAt("conditions") ?? (save.error && !atFields ? messageOf(save.error) : null)} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={save.isPending}>
            {policy ? "Save" : "Add"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
