import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { clsx } from "clsx";
import { CornerDownLeft, LogOut, Moon, Search, Server, Sun, type LucideIcon } from "lucide-react";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { from } from "@/api/from";
import { orgKey } from "@/api/keys";
import { useDebounced } from "@/lib/debounced";
import { setTheme } from "@/lib/theme";
import { useSignOut } from "./account-menu";
import { sectionsFor } from "./navigation";

interface Command {
  id: string;
  label: string;
  hint: string;
  icon: LucideIcon;
  words: string;
  run: () => void;
}

const MACHINES_SHOWN = 8;

/** Ctrl or Cmd + K: go anywhere, find a machine by name or address, switch theme. */
export function CommandPalette({ onClose }: { onClose: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  const listId = useId();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const commands = [...useMatchingCommands(text), ...useMachineCommands(text)];
  const at = Math.min(chosen, commands.length - 1);

  useEffect(() => ref.current?.showModal(), []);

  function run(command: Command | undefined) {
    if (!command) return;
    onClose();
    command.run();
  }
  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "Enter") run(commands[at]);
    else if (event.key === "ArrowDown") setChosen((at + 1) % commands.length);
    else if (event.key === "ArrowUp") setChosen((at - 1 + commands.length) % commands.length);
    else return;
    event.preventDefault();
  }
  return (
    <dialog
      ref={ref}
      aria-label="Command palette"
      onClose={onClose}
      className="mx-auto mt-[12dvh] w-[min(36rem,calc(100vw-1.5rem))] rounded-2xl border border-line bg-surface p-0 text-ink shadow-float animate-enter"
    >
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search className="size-4.5 shrink-0 text-muted" aria-hidden />
        <input
          role="combobox"
          aria-label="Search pages, machines and actions"
          aria-expanded
          aria-controls={listId}
          aria-activedescendant={commands[at] ? `${listId}-${commands[at].id}` : undefined}
          placeholder="Search pages, machines and actions"
          className="h-13 w-full bg-transparent text-[1rem] outline-none"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setChosen(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul id={listId} role="listbox" aria-label="Results" className="max-h-[50dvh] overflow-y-auto p-1.5">
        {commands.map((command, i) => (
          <PaletteRow key={command.id} id={`${listId}-${command.id}`} command={command} active={i === at} onRun={() => run(command)} />
        ))}
      </ul>
      {commands.length === 0 && <p className="px-4 pb-6 text-center text-muted">Nothing matches “{text}”.</p>}
    </dialog>
  );
}

interface RowProps {
  id: string;
  command: Command;
  active: boolean;
  onRun: () => void;
}

function PaletteRow({ id, command: { icon: Icon, label, hint }, active, onRun }: RowProps) {
  const ref = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (active) ref.current?.scrollIntoView({ block: "nearest" });
  }, [active]);
  return (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are handled by the combobox above
    <li
      ref={ref}
      id={id}
      role="option"
      aria-selected={active}
      onClick={onRun}
      className={clsx("flex cursor-pointer items-center gap-3 rounded-lg px-3 py-2.5", active ? "bg-accent-soft" : "hover:bg-sunken")}
    >
      <Icon className="size-4.25 shrink-0 text-muted" aria-hidden />
      <span className="min-w-0 flex-1 truncate">{label}</span>
      <span className="shrink-0 truncate font-mono text-[0.77rem] text-muted">{hint}</span>
      {active && <CornerDownLeft className="size-3.5 shrink-0 text-muted" aria-hidden />}
    </li>
  );
}

function useMatchingCommands(text: string): Command[] {
  const navigate = useNavigate();
  const leave = useSignOut();
  const { org } = useCurrentOrg();
  const places = sectionsFor(org.role)
    .flatMap((section) => section.places)
    .map(({ to, label, icon, words }) => ({ id: label.replaceAll(" ", "-"), label, icon, words, hint: "", run: () => void navigate({ to }) }));
  const actions: Command[] = [
    { id: "light", label: "Light theme", icon: Sun, words: "appearance", hint: "", run: () => setTheme("light") },
    { id: "dark", label: "Dark theme", icon: Moon, words: "appearance", hint: "", run: () => setTheme("dark") },
    { id: "sign-out", label: "Sign out", icon: LogOut, words: "log out leave", hint: "", run: () => void leave() },
  ];
  const wanted = text.trim().toLowerCase();
  return [...places, ...actions].filter(({ label, words }) => `${label} ${words}`.toLowerCase().includes(wanted));
}

function useMachineCommands(text: string): Command[] {
  const navigate = useNavigate();
  const { org } = useCurrentOrg();
  const wanted = useDebounced(text.trim(), 150);
  const { data } = useQuery({
    queryKey: orgKey(org.id, "machines", "palette", wanted),
    enabled: wanted.length > 0,
    queryFn: ({ signal }) =>
      from("machines").in(org.id).select("id", "name", "tailnet_ip").search(["name", "tailnet_ip"], wanted).order("name").limit(MACHINES_SHOWN).rows(signal),
  });
  return (wanted ? (data ?? []) : []).map(({ id, name, tailnet_ip }) => ({
    id,
    label: name,
    hint: tailnet_ip,
    icon: Server,
    words: "",
    run: () => void navigate({ to: "/machines/$machineId", params: { machineId: id } }),
  }));
}
