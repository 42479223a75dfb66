import { clsx } from "clsx";
import { ChevronRight } from "lucide-react";
import { useId } from "react";
import type { Protocol, Verdict } from "@/api/tables";
import { EndField } from "@/components/end-field";
import { SelectField, TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { Checks, TimezoneField } from "../condition-fields";
import { dayNames, days, systems } from "./conditions";
import type { RuleDraft } from "./rule-draft";

export interface FieldsProps {
  draft: RuleDraft;
  onChange: (values: Partial<RuleDraft>) => void;
  errorAt: (column: string) => string | null;
}

export function MainFields({ draft, onChange, errorAt }: FieldsProps) {
  return (
    <>
      <TextField label="Name" required maxLength={100} placeholder="Engineers to databases" value={draft.name} onChange={(event) => onChange({ name: event.target.value })} error={errorAt("name")} />
      <ActionChoice value={draft.action} onChange={(action) => onChange({ action })} />
      <EndField label="Source" hint="Who begins: tag:, group:, user:, a machine, an address or network, or *. Several with commas." value={draft.source} onChange={(source) => onChange({ source })} error={errorAt("source")} />
      <EndField label="Destination" value={draft.destination} onChange={(destination) => onChange({ destination })} error={errorAt("destination")} />
      <div className="grid gap-4 sm:grid-cols-[8rem_minmax(0,1fr)_6.5rem]">
        <SelectField label="Protocol" value={draft.protocol} onChange={(event) => onChange({ protocol: event.target.value as Protocol })} error={errorAt("protocol")}>
          <option value="*">Any</option>
          <option value="tcp">tcp</option>
          <option value="udp">udp</option>
          <option value="icmp">icmp</option>
        </SelectField>
        <TextField
          label="Ports"
          className="font-mono text-[0.85rem]"
          placeholder="22, 8000-8100"
          disabled={draft.protocol === "icmp"}
          hint={draft.protocol === "icmp" ? "ICMP has none." : "* for all."}
          value={draft.protocol === "icmp" ? "*" : draft.ports}
          onChange={(event) => onChange({ ports: event.target.value })}
          error={errorAt("ports")}
        />
        <TextField label="Priority" type="number" required min={0} max={100000} hint="Small first." value={draft.priority} onChange={(event) => onChange({ priority: event.target.value })} error={errorAt("priority")} />
      </div>
    </>
  );
}

function ActionChoice({ value, onChange }: { value: Verdict; onChange: (action: Verdict) => void }) {
  const name = useId();
  const looks = { allow: "has-checked:border-blue has-checked:bg-blue-soft has-checked:text-blue", deny: "has-checked:border-red has-checked:bg-red-soft has-checked:text-red" };
  return (
    <fieldset>
      <legend className="mb-1.5 text-[0.83rem] font-medium">Action</legend>
      <div className="grid grid-cols-2 gap-2">
        {(["allow", "deny"] as const).map((action) => (
          <label
            key={action}
            className={clsx("cursor-pointer rounded-lg border border-line-strong px-3 py-1.75 text-center font-medium capitalize has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent", looks[action])}
          >
            <input type="radio" name={name} className="sr-only" checked={value === action} onChange={() => onChange(action)} />
            {action}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** What a rule asks beyond ends and ports; folded away while there is nothing. */
export function ConditionFields({ draft, onChange, errorAt, open }: FieldsProps & { open: boolean }) {
  return (
    <Fold title="Conditions" open={open}>
      <div className="grid grid-cols-2 gap-4 sm:grid-cols-[7rem_7rem_minmax(0,1fr)]">
        <TextField label="From" type="time" value={draft.from} onChange={(event) => onChange({ from: event.target.value })} error={errorAt("time_hour")} />
        <TextField label="Until" type="time" value={draft.until} onChange={(event) => onChange({ until: event.target.value })} />
        <div className="col-span-2 sm:col-span-1">
          <TimezoneField value={draft.timezone} onChange={(timezone) => onChange({ timezone })} error={errorAt("timezone")} />
        </div>
      </div>
      <Checks label="Days" options={dayNames} chosen={draft.days} onChange={(chosen) => onChange({ days: days.filter((day) => chosen.includes(day)) })} />
      <Checks label="System of the source" options={systems} chosen={draft.systems} onChange={(chosen) => onChange({ systems: chosen })} />
      <TextField label="Country of the source" placeholder="DE, IN" maxLength={1000} value={draft.countries} onChange={(event) => onChange({ countries: event.target.value })} error={errorAt("source_country")} hint="Two-letter codes. An unknown country does not match." />
      <div className="divide-y divide-line">
        <SwitchRow label="Healthy source" hint="Only machines that meet the posture policies." checked={draft.posture} onChange={(posture) => onChange({ posture })} />
        <SwitchRow label="Post-quantum tunnels" hint="Only between machines that verify hybrid keys." checked={draft.pqc} onChange={(pqc) => onChange({ pqc })} />
      </div>
    </Fold>
  );
}

/** When a rule begins and ends, and what it is for. */
export function ValidityFields({ draft, onChange, errorAt, open }: FieldsProps & { open: boolean }) {
  return (
    <Fold title="Validity and note" open={open}>
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label="Begins" type="datetime-local" value={draft.startsAt} onChange={(event) => onChange({ startsAt: event.target.value })} error={errorAt("starts_at")} />
        <TextField label="Ends" type="datetime-local" value={draft.expiresAt} onChange={(event) => onChange({ expiresAt: event.target.value })} error={errorAt("expires_at")} hint="Open connections are cut then." />
      </div>
      <TextField label="Note" maxLength={500} placeholder="Why it is needed, and for whom" value={draft.description} onChange={(event) => onChange({ description: event.target.value })} error={errorAt("description")} />
    </Fold>
  );
}

function Fold({ title, open, children }: { title: string; open: boolean; children: React.ReactNode }) {
  return (
    <details open={open} className="group rounded-xl border border-line">
      <summary className="flex cursor-pointer list-none items-center gap-2 rounded-xl px-3.5 py-2.5 font-medium [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-4 text-muted transition-transform group-open:rotate-90" aria-hidden />
        {title}
      </summary>
      <div className="grid gap-4 px-3.5 pt-1 pb-4">{children}</div>
    </details>
  );
}
