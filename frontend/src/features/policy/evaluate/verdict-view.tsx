import { clsx } from "clsx";
import { Check, ShieldBan, ShieldCheck, X } from "lucide-react";
import { portsText, type Evaluation, type Question } from "./queries";

const conditionNames: Record<string, string> = {
  source: "Source",
  destination: "Destination",
  protocol: "Protocol",
  port: "Port",
  starts_at: "Begins",
  expires_at: "Ends",
  time_hour: "Time of day",
  day_of_week: "Day",
  source_country: "Country",
  source_os: "System",
  require_posture: "Health",
  require_pqc: "Post-quantum",
};

/** The verdict on a flow with what led to it: the rule, each of its conditions, or the rule that came nearest. */
export function VerdictView({ evaluation, asked }: { evaluation: Evaluation; asked: Question }) {
  const { allowed, source, destination, matched_rule: matched, closest_rule: closest, evaluated_conditions: conditions } = evaluation;
  const Icon = allowed ? ShieldCheck : ShieldBan;
  const open = evaluation.ports.filter((part) => part.allowed);
  const partly = !allowed && asked.port === undefined && open.length > 0;
  return (
    <div className="animate-enter">
      <div className={clsx("flex items-start gap-3 rounded-xl px-3.5 py-2.5", allowed ? "bg-green-soft text-green" : "bg-red-soft text-red")}>
        <Icon className="mt-0.5 size-5 shrink-0" aria-hidden />
        <div className="min-w-0">
          <p className="font-semibold">
            {allowed ? "Allowed" : partly ? "Not on every port" : "Denied"}: {source.name} → {destination.name}
          </p>
          <p className="text-[0.85rem]">
            <Reason evaluation={evaluation} />
          </p>
          {partly && <p className="text-[0.85rem]">Open: <span className="font-mono text-[0.8rem]">{portsText(open)}</span></p>}
        </div>
      </div>
      {Object.keys(conditions).length > 0 && (
        <ul aria-label={`Conditions of ${(matched ?? closest)?.name ?? "the rule"}`} className="mt-2 grid gap-x-6 sm:grid-cols-2">
          {Object.entries(conditions).map(([name, { expected, actual, met }]) => (
            <li key={name} className="flex min-w-0 items-baseline gap-2 border-b border-line py-1.5 text-[0.85rem]">
              {met ? <Check className="size-3.75 shrink-0 self-center text-green" aria-label="holds" /> : <X className="size-3.75 shrink-0 self-center text-red" aria-label="does not hold" />}
              <span className="shrink-0 text-muted">{conditionNames[name] ?? name}</span>
              <span className="ml-auto min-w-0 truncate text-right font-mono text-[0.78rem]" title={`asks ${expected}, is ${actual}`}>
                {met ? actual : `${actual} ≠ ${expected}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What decided: a rule, something that overrules it, or nothing, and then the rule that came nearest. */
function Reason({ evaluation: { matched_rule: matched, closest_rule: closest, reason, message } }: { evaluation: Evaluation }) {
  if (matched && reason === "rule") {
    return (
      <>
        by rule <b className="font-semibold">{matched.name}</b> (priority {matched.priority})
      </>
    );
  }
  const named = matched ?? closest;
  return (
    <>
      {message}
      {named && (
        <>
          . {matched ? "The rule that would allow it: " : "Nearest: "}
          <b className="font-semibold">{named.name}</b>
        </>
      )}
    </>
  );
}
