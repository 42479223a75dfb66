import { clsx } from "clsx";
import { ArrowDown, ArrowUp, Clock, Globe, HeartPulse, KeyRound, MonitorSmartphone, type LucideIcon } from "lucide-react";
import type { AclRule } from "@/api/tables";
import type { EndNames } from "@/components/end-chips";
import { FlowLine } from "@/components/flow-line";
import { IconButton, SwitchedControls } from "@/components/item-controls";
import { Badge } from "@/components/ui/badge";
import { UnknownNames } from "@/components/unknown-names";
import { useNow } from "@/lib/now";
import { spelledOut } from "@/lib/selectors";
import { localTime, utcTime } from "@/lib/time";
import { ActionBadge } from "./action-badge";
import { conditionsOf, type ConditionKind } from "./conditions";
import { lifeOf } from "./rule-search";

export interface RuleActions {
  onEdit: (rule: AclRule) => void;
  onDelete: (rule: AclRule) => void;
  onSwitch: (rule: AclRule, enabled: boolean) => void;
  /** Absent where the list is narrowed: neighbours on screen are none then. */
  onMove?: (rule: AclRule, direction: "up" | "down") => void;
}

interface Props {
  rule: AclRule;
  names: EndNames;
  /** Absent for roles that only read. */
  actions?: RuleActions;
  first: boolean;
  last: boolean;
}

const conditionIcons: Record<ConditionKind, LucideIcon> = { time: Clock, country: Globe, os: MonitorSmartphone, posture: HeartPulse, pqc: KeyRound };

/** A rule as one reads it aloud: who reaches whom, through what, when. */
export function RuleCard({ rule, names, actions, first, last }: Props) {
  const over = lifeOf(rule, useNow(30_000)) === "over";
  return (
    <article
      aria-label={`Rule ${rule.name}`}
      className={clsx("relative min-w-0 overflow-hidden rounded-2xl border border-line bg-surface py-3 pr-3 pl-5 shadow-card sm:pr-4", (!rule.enabled || over) && "bg-sunken")}
    >
      <span aria-hidden className={clsx("absolute inset-y-0 left-0 w-1.5", rule.enabled && !over ? (rule.action === "allow" ? "bg-blue" : "bg-red") : "bg-line-strong")} />
      <header className="flex flex-wrap items-center gap-x-2 gap-y-1.5">
        <h3 className="min-w-0 font-semibold break-words">{spelledOut(rule.name, names.machine)}</h3>
        <ActionBadge action={rule.action} />
        <Marks rule={rule} />
        <span className="ml-auto flex items-center gap-1">
          <span className="mr-1 text-[0.8rem] whitespace-nowrap text-muted tabular-nums" title="Smaller numbers are judged first">
            priority {rule.priority}
          </span>
          {actions && <Controls rule={rule} actions={actions} first={first} last={last} />}
        </span>
      </header>
      <FlowLine
        source={rule.source}
        destination={rule.destination}
        service={rule}
        names={names}
        tone={rule.action === "allow" ? "blue" : "red"}
        unresolved={rule.unresolved}
        className={clsx("mt-2", !rule.enabled && "opacity-75")}
      />
      <Conditions rule={rule} />
      {rule.description && <p className="mt-2 text-[0.83rem] text-pretty text-muted">{rule.description}</p>}
    </article>
  );
}

function Marks({ rule }: { rule: AclRule }) {
  const now = useNow(30_000);
  const life = lifeOf(rule, now);
  return (
    <>
      {!rule.enabled && <Badge>Disabled</Badge>}
      {rule.jit_grant_id !== null && <Badge colour="violet">Just in time</Badge>}
      {life === "over" && <Badge colour="orange">Expired</Badge>}
      {life === "waiting" && rule.starts_at && (
        <Badge colour="yellow" title={utcTime(rule.starts_at)}>
          From {localTime(rule.starts_at, now)}
        </Badge>
      )}
      {rule.expires_at && life !== "over" && (
        <Badge colour={life === "ending" ? "orange" : "grey"} title={utcTime(rule.expires_at)}>
          Until {localTime(rule.expires_at, now)}
        </Badge>
      )}
      <UnknownNames names={rule.unresolved} />
    </>
  );
}

function Conditions({ rule }: { rule: AclRule }) {
  const conditions = conditionsOf(rule);
  if (conditions.length === 0) return null;
  return (
    <ul aria-label="Only if" className="mt-2 flex flex-wrap gap-1.5">
      {conditions.map(({ kind, text }) => {
        const Icon = conditionIcons[kind];
        return (
          <li key={kind} className="inline-flex items-center gap-1.25 rounded-full bg-accent-soft px-2.25 py-0.5 text-[0.77rem] text-accent">
            <Icon className="size-3.25" aria-hidden />
            {text}
          </li>
        );
      })}
    </ul>
  );
}

function Controls({ rule, actions: { onEdit, onDelete, onSwitch, onMove }, first, last }: Required<Pick<Props, "actions">> & Omit<Props, "names">) {
  return (
    <>
      {onMove && (
        <>
          <IconButton label={`Move ${rule.name} up`} disabled={first} onClick={() => onMove(rule, "up")} icon={<ArrowUp />} />
          <IconButton label={`Move ${rule.name} down`} disabled={last} onClick={() => onMove(rule, "down")} icon={<ArrowDown />} />
        </>
      )}
      <SwitchedControls name={rule.name} enabled={rule.enabled} onEdit={() => onEdit(rule)} onDelete={() => onDelete(rule)} onSwitch={(enabled) => onSwitch(rule, enabled)} />
    </>
  );
}
