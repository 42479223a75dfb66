import { useQuery } from "@tanstack/react-query";
import { clsx } from "clsx";
import { useId, useMemo, useState, type KeyboardEvent, type ReactNode } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { membersQuery } from "@/api/members";
import { groupsQuery, namedMachinesQuery, peopleGroupsQuery } from "@/api/named";
import { completeEnd, suggestionsFor, type EndChoice } from "@/lib/end-choices";
import { sourceNames } from "@/lib/group-sources";
import { kindOf } from "@/lib/selectors";
import { endIcons } from "./end-chips";
import { Field } from "./ui/field";

/** Everything that an end of a rule can name, for completing what is typed. */
function useEndChoices(): EndChoice[] {
  const { org } = useCurrentOrg();
  const { data: machines } = useQuery(namedMachinesQuery(org.id));
  const { data: groups } = useQuery(groupsQuery(org.id));
  const { data: peopleGroups } = useQuery(peopleGroupsQuery(org.id));
  const { data: members } = useQuery(membersQuery(org.id));
  return useMemo(() => {
    const tags = [...new Set(machines?.flatMap((machine) => machine.tags) ?? [])].sort();
    return [
      { value: "*", hint: "every machine" },
      ...tags.map((tag) => ({ value: `tag:${tag}`, hint: "tag" })),
      ...(groups ?? []).map(({ name }) => ({ value: `group:${name}`, hint: "group" })),
      ...(peopleGroups ?? []).map(({ name, source }) => ({ value: `group:${name}`, hint: `people (${sourceNames[source]})` })),
      ...(members ?? []).flatMap(({ email, full_name }) => (email ? [{ value: `user:${email}`, hint: full_name ?? "person" }] : [])),
      ...(machines ?? []).map(({ name, tailnet_ip }) => ({ value: name, hint: tailnet_ip })),
    ];
  }, [machines, groups, peopleGroups, members]);
}

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: ReactNode;
  error?: string | null;
}

/** An end of a rule as text, with what it may name offered below. Keys: down, up, Enter, Esc. */
export function EndField({ label, value, onChange, hint, error }: Props) {
  const choices = useEndChoices();
  const listId = useId();
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const offered = open ? suggestionsFor(choices, value) : [];

  function take(choice: EndChoice) {
    onChange(completeEnd(value, choice.value));
    setOpen(false);
    setActive(-1);
  }
  function onKeyDown(event: KeyboardEvent) {
    const chosen = offered[active];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive(Math.min(Math.max(active + step, -1), offered.length - 1));
    } else if (event.key === "Enter" && chosen) {
      event.preventDefault();
      take(chosen);
    } else if (event.key === "Escape" && offered.length > 0) {
      // Only the list closes, not the drawer around it.
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
    }
  }
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <div className="relative">
          <input
            {...control}
            role="combobox"
            aria-autocomplete="list"
            aria-expanded={offered.length > 0}
            aria-controls={listId}
            aria-activedescendant={offered[active] ? `${listId}-${active}` : undefined}
            className="field font-mono text-[0.85rem]"
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            maxLength={4000}
            value={value}
            onChange={(event) => {
              onChange(event.target.value);
              setOpen(true);
              setActive(-1);
            }}
            onFocus={() => setOpen(true)}
            onBlur={() => setOpen(false)}
            onKeyDown={onKeyDown}
          />
          <ul id={listId} role="listbox" aria-label={`${label}: suggestions`} className={clsx("absolute inset-x-0 top-full z-20 mt-1 overflow-hidden rounded-xl border border-line bg-surface p-1 shadow-float", offered.length === 0 && "hidden")}>
            {offered.map((choice, i) => (
              <Choice key={choice.value} id={`${listId}-${i}`} choice={choice} active={i === active} onTake={() => take(choice)} />
            ))}
          </ul>
        </div>
      )}
    </Field>
  );
}

function Choice({ id, choice, active, onTake }: { id: string; choice: EndChoice; active: boolean; onTake: () => void }) {
  const Icon = endIcons[kindOf(choice.value)];
  return (
    // Keys are the input's, which keeps the focus; a press must not take it away.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <li
      id={id}
      role="option"
      aria-selected={active}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onTake}
      className={clsx("flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-1.5 hover:bg-sunken", active && "bg-sunken")}
    >
      <Icon className="size-3.75 shrink-0 text-muted" aria-hidden />
      <span className="min-w-0 truncate font-mono text-[0.82rem]">{choice.value}</span>
      <span className="ml-auto max-w-[45%] shrink-0 truncate text-[0.78rem] text-muted">{choice.hint}</span>
    </li>
  );
}
