import { SelectField, TextField } from "../ui/field";
import { localInput } from "@/lib/time";

const MINUTE_MS = 60_000;

/** The local time, so many minutes from now, as the input takes it. */
function inMinutes(minutes: number): string {
  return localInput(new Date(Date.now() + minutes * MINUTE_MS).toISOString());
}

interface Props {
  /** Local time of the input; null: at once. */
  value: string | null;
  onChange: (value: string | null) => void;
  disabled: boolean;
}

/** Apply a change now, or at a time: it is checked again then. */
export function WhenField({ value, onChange, disabled }: Props) {
  return (
    <div className="grid content-start gap-2">
      <SelectField
        label="When"
        hint="Later: checked and tested again at its time."
        value={value === null ? "now" : "later"}
        disabled={disabled}
        onChange={(event) => onChange(event.target.value === "now" ? null : inMinutes(60))}
      >
        <option value="now">At once</option>
        <option value="later">At a time</option>
      </SelectField>
      {value !== null && <TextField label="Time" type="datetime-local" required min={inMinutes(2)} value={value} onChange={(event) => onChange(event.target.value)} />}
    </div>
  );
}
