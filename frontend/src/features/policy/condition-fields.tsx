import { useId } from "react";
import { TextField } from "@/components/ui/field";

/** A time zone by its IANA name, with all that the browser knows offered. */
export function TimezoneField({ value, onChange, error }: { value: string; onChange: (value: string) => void; error: string | null }) {
  const listId = useId();
  return (
    <>
      <TextField label="Time zone" list={listId} value={value} onChange={(event) => onChange(event.target.value)} error={error} autoComplete="off" />
      <datalist id={listId}>
        {["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  );
}

interface ChecksProps {
  label: string;
  options: Readonly<Record<string, string>>;
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

/** A choice of several; none chosen asks nothing. */
export function Checks({ label, options, chosen, onChange }: ChecksProps) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-[0.83rem] font-medium">
        {label} {chosen.length === 0 && <span className="font-normal text-muted">any</span>}
      </legend>
      <div className="flex flex-wrap gap-1.5">
        {Object.entries(options).map(([value, text]) => (
          <label
            key={value}
            className="cursor-pointer rounded-lg border border-line-strong px-2.5 py-1 text-[0.83rem] has-checked:border-accent has-checked:bg-accent-soft has-checked:text-accent has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="checkbox"
              className="sr-only"
              checked={chosen.includes(value)}
              onChange={(event) => onChange(event.target.checked ? [...chosen, value] : chosen.filter((other) => other !== value))}
            />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
