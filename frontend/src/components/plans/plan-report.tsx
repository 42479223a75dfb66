import { CircleAlert, CircleCheck, HeartCrack, HeartPulse, Hourglass, Scissors, TriangleAlert } from "lucide-react";
import { useMemo, type ReactNode } from "react";
import { plural } from "@/lib/time";
import { connectionsText } from "./connections";
import { FlowPicture } from "./flow-picture";
import { changeLines, flowChanges, locksOut, postureLines, type PlanAnswer } from "./report";

/** What a change would do: drawn first, then what stands against it. */
export function PlanReport({ plan }: { plan: PlanAnswer }) {
  const flows = useMemo(() => flowChanges(plan.flows), [plan.flows]);
  return (
    <div className="grid gap-3">
      {locksOut(plan) && (
        <Line tone="red" icon={<CircleAlert />}>
          <b className="font-semibold">This locks you out.</b> No administrator's machine could reach anything any more.
        </Line>
      )}
      <Changed plan={plan} />
      <Health plan={plan} />
      {flows.length === 0 ? (
        <Line tone="grey" icon={<CircleCheck />}>
          Nothing changes in who reaches whom among the machines there are.
        </Line>
      ) : (
        <FlowPicture flows={flows} />
      )}
      {plan.flows.sampled && <p className="text-[0.83rem] text-muted">A sample: the network is too large to show every pair.</p>}
      <Connections plan={plan} />
      <Tests plan={plan} />
      <Remarks plan={plan} />
      <p className="text-[0.83rem] text-muted">
        {plan.machines_affected === 0 ? "No machine gets new rules." : `${plural(plan.machines_affected, "machine")} ${plan.machines_affected === 1 ? "gets" : "get"} new rules.`}
        {plan.requires_approval && " A second administrator must approve it."}
      </p>
    </div>
  );
}

const SHOWN = 12;
const signs: Record<string, { sign: string; className: string }> = {
  created: { sign: "+", className: "text-green" },
  updated: { sign: "~", className: "text-yellow" },
  deleted: { sign: "−", className: "text-red" },
};

function Changed({ plan }: { plan: PlanAnswer }) {
  const lines = changeLines(plan);
  if (lines.length === 0) return null;
  return (
    <ul aria-label="Changes" className="grid gap-1 text-[0.87rem]">
      {lines.slice(0, SHOWN).map(({ id, change, text }) => (
        <li key={id} className="flex gap-2">
          <span aria-hidden className={`w-3 shrink-0 text-center font-mono ${signs[change]?.className ?? ""}`}>
            {signs[change]?.sign ?? "~"}
          </span>
          <span className="sr-only">{change}:</span>
          <span className="min-w-0 break-words">{text}</span>
        </li>
      ))}
      {lines.length > SHOWN && <li className="pl-5 text-muted">and {lines.length - SHOWN} more</li>}
    </ul>
  );
}

const bad: readonly string[] = ["quarantined", "restricted", "failing"];

function Health({ plan }: { plan: PlanAnswer }) {
  return postureLines(plan).map(({ kind, text }) => (
    <Line key={kind} tone={bad.includes(kind) ? "orange" : "green"} icon={bad.includes(kind) ? <HeartCrack /> : <HeartPulse />}>
      {text}
    </Line>
  ));
}

const connectionIcons = { grey: <Hourglass />, green: <CircleCheck />, orange: <Scissors /> };

function Connections({ plan }: { plan: PlanAnswer }) {
  const text = connectionsText(plan);
  return (
    <div role="status">
      {text && (
        <Line tone={text.tone} icon={connectionIcons[text.tone]}>
          <b className="font-semibold">{text.lead}</b> {text.flows} {text.limits}
        </Line>
      )}
    </div>
  );
}

function Tests({ plan: { tests } }: { plan: PlanAnswer }) {
  if (tests.failed.length > 0) {
    return (
      <Line tone="red" icon={<CircleAlert />}>
        <b className="font-semibold">
          {tests.failed.length} of {plural(tests.failed.length + tests.passed, "policy test")} would fail:
        </b>
        <ul className="mt-1 list-disc pl-4.5">
          {tests.failed.map(({ id, name, expected, actual, rule }) => (
            <li key={id}>
              {name}: must {expected}, would {actual}
              {rule && ` by ${rule}`}
            </li>
          ))}
        </ul>
      </Line>
    );
  }
  return tests.passed === 0 ? null : (
    <Line tone="green" icon={<CircleCheck />}>
      {tests.passed === 1 ? "The policy test holds." : `All ${tests.passed} policy tests hold.`}
    </Line>
  );
}

function Remarks({ plan: { shadowed, duplicates, unresolved } }: { plan: PlanAnswer }) {
  return (
    <>
      {shadowed.map((note) => (
        <Line key={`s-${note.id ?? note.name}`} tone="yellow" icon={<TriangleAlert />}>
          {note.name} never matches{note.by ? `: ${note.by} decides before it.` : ": an earlier rule decides before it."}
        </Line>
      ))}
      {duplicates.map((note) => (
        <Line key={`d-${note.id ?? note.name}`} tone="yellow" icon={<TriangleAlert />}>
          {note.name} says the same as {note.by ?? "another rule"}.
        </Line>
      ))}
      {unresolved.length > 0 && (
        <Line tone="yellow" icon={<TriangleAlert />}>
          Nothing is called <span className="font-mono text-[0.82rem]">{unresolved.join(", ")}</span> yet. A spelling mistake?
        </Line>
      )}
    </>
  );
}

const tones = {
  red: "bg-red-soft text-red",
  orange: "bg-orange-soft text-orange",
  yellow: "bg-yellow-soft text-yellow",
  green: "bg-green-soft text-green",
  grey: "bg-grey-soft text-grey",
};

function Line({ tone, icon, children }: { tone: keyof typeof tones; icon: ReactNode; children: ReactNode }) {
  return (
    <div className={`flex gap-2.5 rounded-lg px-3 py-2 text-[0.87rem] [&>svg]:mt-0.75 [&>svg]:size-4 [&>svg]:shrink-0 ${tones[tone]}`}>
      {icon}
      <div className="min-w-0 break-words">{children}</div>
    </div>
  );
}
