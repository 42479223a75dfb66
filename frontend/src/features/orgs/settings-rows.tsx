import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import type { Membership } from "@/api/session";
import type { OrgSettings } from "@/api/tables";
import type { Planned } from "@/components/plans/planned-change";
import { SelectField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";

interface Row {
  name: keyof OrgSettings;
  label: string;
  hint: string;
  /** Changed by owners only. */
  owner?: true;
  /** Decides who reaches whom: its change is looked at before it is made. */
  plan?: (next: boolean, org: Pick<Membership, "slug">) => Planned;
  /** The values to choose from; without them the setting is a switch. */
  choices?: readonly { value: string | number; text: string }[];
}

interface Group {
  title: string;
  rows: readonly Row[];
}

const days = (...counts: number[]) => counts.map((value) => ({ value, text: `${value} days` }));

const trials = [
  { value: 0, text: "No, keep them" },
  ...[1, 5, 15].map((minutes) => ({ value: minutes * 60, text: `After ${minutes} min without confirmation` })),
];

function defaultDeny(on: boolean, { slug }: Pick<Membership, "slug">): Planned {
  return {
    title: on ? "Deny what no rule allows?" : "Allow what no rule denies?",
    action: on ? "Deny" : "Allow",
    note: on ? undefined : "Every machine reaches every other, but for what a rule denies.",
    typed: () => (on ? undefined : slug),
    changes: () => ({ settings: { default_deny: on } }),
    done: "Default deny saved",
  };
}

/** Only settings that something enforces: a switch that does nothing would be believed. */
export const settingGroups: readonly Group[] = [
  {
    title: "Machines",
    rows: [
      { name: "approval_required", label: "Approval", hint: "New machines wait until an administrator lets them in. Pre-approved keys skip the wait." },
      { name: "key_expiry_days", label: "Key Expiry", hint: "How long a machine may stay signed in before a person signs it in again.", choices: days(30, 90, 180, 365) },
    ],
  },
  {
    title: "Routing and Names",
    rows: [
      { name: "allow_subnet_routing", label: "Subnet Routing", hint: "Machines may offer the networks behind them. Each needs an administrator's approval." },
      { name: "allow_exit_nodes", label: "Exit Nodes", hint: "Machines may offer to carry others' internet traffic. Each needs an administrator's approval." },
      { name: "magic_dns_enabled", label: "MagicDNS", hint: "Every machine can be reached by its name. Nameservers and records are on the DNS page." },
    ],
  },
  {
    title: "Changes of Policy",
    rows: [
      { name: "four_eyes", label: "Two pairs of eyes", hint: "A change of access rules, groups or posture waits for a second administrator.", owner: true },
      { name: "four_eyes_jit", label: "Nobody approves himself", hint: "A request for temporary access is approved by somebody else than who asked.", owner: true },
      { name: "plan_confirm_seconds", label: "Undo changes by themselves", hint: "What a change starts out with: it comes back unless somebody confirms it in time.", choices: trials },
    ],
  },
  {
    title: "Security",
    rows: [
      { name: "default_deny", label: "Default deny", hint: "What no rule allows is denied.", owner: true, plan: defaultDeny },
      { name: "api_key_max_days", label: "Longest life of an API key", hint: "Keys for programs end after this at the latest.", owner: true, choices: days(30, 90, 180, 365) },
      { name: "flow_logs_enabled", label: "Flow log", hint: "Machines report who connected to whom through which port, allowed or denied; never what was sent. Kept for 30 days, read by owners, administrators and auditors." },
    ],
  },
];

type Value = OrgSettings[keyof OrgSettings];

interface Props {
  row: Row;
  value: Value;
  onChange: (settings: Partial<OrgSettings>) => Promise<void>;
  onPlan: (plan: Planned) => void;
}

/** One setting; saved as soon as it is changed, or once its plan is applied, and shown as stored again when that fails. */
export function SettingRow({ row, value, onChange, onPlan }: Props) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const [busy, setBusy] = useState(false);
  const disabled = busy || !isAdmin || (row.owner === true && org.role !== "owner");
  const hint = row.owner && org.role !== "owner" ? `${row.hint} Owners change it.` : row.hint;

  async function save(next: Value) {
    setBusy(true);
    try {
      await onChange({ [row.name]: next });
      toast.done(`${row.label} saved`);
    } catch (error) {
      toast.refused(error);
    } finally {
      setBusy(false);
    }
  }
  if (row.choices) return <ChoiceRow row={row} hint={hint} choices={row.choices} value={value} disabled={disabled} onChange={(next) => void save(next)} />;
  return <SwitchRow label={row.label} hint={hint} checked={value === true} disabled={disabled} onChange={(next) => (row.plan ? onPlan(row.plan(next, org)) : void save(next))} />;
}

interface ChoiceProps {
  row: Row;
  hint: string;
  choices: NonNullable<Row["choices"]>;
  value: Value;
  disabled: boolean;
  onChange: (value: string | number) => void;
}

function ChoiceRow({ row, hint, choices, value, disabled, onChange }: ChoiceProps) {
  const current = String(value);
  // A value set by API may stand outside the usual choices; it is shown as it is.
  const options = choices.some((choice) => String(choice.value) === current) ? choices : [{ value: current, text: current }, ...choices];
  return (
    <div className="py-2.5">
      <SelectField
        label={row.label}
        hint={hint}
        value={current}
        disabled={disabled}
        onChange={(event) => {
          const chosen = choices.find((choice) => String(choice.value) === event.target.value);
          if (chosen) onChange(chosen.value);
        }}
      >
        {options.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.text}
          </option>
        ))}
      </SelectField>
    </div>
  );
}
