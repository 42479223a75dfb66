import { Switch as RadixSwitch } from "radix-ui";
import { useId, type ReactNode } from "react";

interface Props {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

interface SwitchProps {
  id?: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
  "aria-label"?: string;
  "aria-describedby"?: string;
}

/** The switch alone; it needs a label of its own. */
export function Switch({ checked, onChange, ...rest }: SwitchProps) {
  return (
    <RadixSwitch.Root
      checked={checked}
      onCheckedChange={onChange}
      className="mt-0.5 h-5.5 w-9.5 shrink-0 rounded-full bg-line-strong p-0.5 transition-colors disabled:opacity-60 data-[state=checked]:bg-accent"
      {...rest}
    >
      <RadixSwitch.Thumb className="block size-4.5 rounded-full bg-surface shadow-card transition-transform data-[state=checked]:translate-x-4" />
    </RadixSwitch.Root>
  );
}

/** A labelled switch with its explanation; the whole row is the label. */
export function SwitchRow({ label, hint, checked, onChange, disabled }: Props) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4 py-2.5">
      <div className="min-w-0">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${id}-hint`} className="text-[0.83rem] text-muted">
            {hint}
          </p>
        )}
      </div>
      <Switch id={id} checked={checked} onChange={onChange} disabled={disabled} aria-describedby={hint ? `${id}-hint` : undefined} />
    </div>
  );
}
