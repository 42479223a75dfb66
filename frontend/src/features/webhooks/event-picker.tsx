import { ChevronRight } from "lucide-react";
import { useEffect, useId, useRef } from "react";
import type { EventGroup } from "@/api/answers";
import { countIn, EVERYTHING, includes, withEvent, withGroup } from "./chosen-events";

interface Props {
  groups: EventGroup[];
  chosen: string[];
  onChange: (chosen: string[]) => void;
  error?: string | null;
}

/** Events by group: a whole group at once, or one by one. */
export function EventPicker({ groups, chosen, onChange, error }: Props) {
  const id = useId();
  const everything = chosen.includes(EVERYTHING);
  return (
    <fieldset>
      <legend className="mb-1.5 text-[0.83rem] font-medium">Events</legend>
      <label htmlFor={id} className="flex items-center gap-2.5 py-1">
        <Box id={id} checked={everything} onChange={(on) => onChange(on ? [EVERYTHING] : [])} />
        <span>Everything, also what later versions add</span>
      </label>
      {!everything && (
        <div className="mt-1 divide-y divide-line rounded-xl border border-line">
          {groups.map((group) => (
            <Group key={group.title} group={group} chosen={chosen} onChange={onChange} />
          ))}
        </div>
      )}
      {error && (
        <p role="alert" className="mt-1.5 text-[0.8rem] text-red">
          {error}
        </p>
      )}
    </fieldset>
  );
}

function Group({ group, chosen, onChange }: { group: EventGroup } & Pick<Props, "chosen" | "onChange">) {
  const count = countIn(chosen, group);
  const all = count === group.events.length;
  return (
    <details className="group">
      <summary className="flex cursor-pointer list-none items-center gap-2.5 rounded-xl px-3 py-2 [&::-webkit-details-marker]:hidden">
        <Box label={`All of ${group.title}`} checked={all} some={count > 0 && !all} onChange={(on) => onChange(withGroup(chosen, group, on))} />
        <span className="min-w-0 flex-1">{group.title}</span>
        {count > 0 && (
          <span className="text-[0.8rem] text-muted tabular-nums">
            {count} of {group.events.length}
          </span>
        )}
        <ChevronRight className="size-4 shrink-0 text-muted transition-transform group-open:rotate-90" aria-hidden />
      </summary>
      <div className="grid gap-x-4 gap-y-1.5 px-3 pt-0.5 pb-3 sm:grid-cols-2">
        {group.events.map((event) => (
          <label key={event} className="flex min-w-0 items-center gap-2.5 font-mono text-[0.8rem]">
            <Box checked={includes(chosen, event)} onChange={(on) => onChange(withEvent(chosen, group, event, on))} />
            <span className="min-w-0 break-all">{event}</span>
          </label>
        ))}
      </div>
    </details>
  );
}

interface BoxProps {
  id?: string;
  label?: string;
  checked: boolean;
  some?: boolean;
  onChange: (on: boolean) => void;
}

function Box({ id, label, checked, some = false, onChange }: BoxProps) {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (ref.current) ref.current.indeterminate = some;
  }, [some]);
  return <input ref={ref} id={id} type="checkbox" aria-label={label} className="size-4 shrink-0 accent-(--accent)" checked={checked} onChange={({ target }) => onChange(target.checked)} />;
}
