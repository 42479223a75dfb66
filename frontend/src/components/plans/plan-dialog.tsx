import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError } from "@/api/error";
import { orgSettingsQuery } from "@/api/org-settings";
import { Failure } from "../confirm";
import { Button } from "../ui/button";
import { Dialog, DialogActions } from "../ui/dialog";
import { SelectField, TextField } from "../ui/field";
import { toast } from "../ui/toast";
import { PlanReport } from "./plan-report";
import { actOnPolicy, useCompletedPlan, useRefreshPolicy, type Applied } from "./queries";
import { locksOut, type PlanAnswer } from "./report";
import { WhenField } from "./when";
import { Trial } from "./trial";

/** How a planned change is talked of. */
export interface PlanWords {
  title: string;
  /** What to say once it is in force. */
  done: string;
  /** The button that makes it, where there is a better word than Apply. */
  action?: string;
  /** It takes something away. */
  danger?: boolean;
  /** What the plan itself does not say. */
  note?: ReactNode;
  /** Text that must be typed before it is made. */
  typed?: (plan: PlanAnswer) => string | undefined;
}

interface Props extends PlanWords {
  plan: PlanAnswer;
  onBack: () => void;
  /** Looks again at what the change means, after the policy has changed under it. */
  onAgain: () => void;
  onApplied: () => void;
}

/** Shows what a change would do before it is made; Apply makes it, on trial if wanted. */
export function PlanDialog({ title, plan: made, done, action = "Apply", danger = false, note, typed: wanted, onBack, onAgain, onApplied }: Props) {
  const { org } = useCurrentOrg();
  const plan = useCompletedPlan(org.id, made);
  const refresh = useRefreshPolicy(org.id);
  const settings = useQuery(orgSettingsQuery(org.id));
  const [chosen, setChosen] = useState<string | null>(null);
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState<string | null>(null);
  const trialSeconds = chosen ?? String(settings.data?.plan_confirm_seconds ?? 0);
  const failing = plan.tests.failed.length > 0;
  const risky = locksOut(plan);
  const mayForce = !failing || org.role === "owner";
  const forced = risky || failing;
  const password = forced ? org.slug : wanted?.(plan);

  const apply = useMutation({
    mutationFn: () =>
      actOnPolicy<Applied>(org.id, "apply", {
        plan_id: plan.plan_id,
        confirm_within_seconds: Number(trialSeconds),
        ...(at !== null && { activate_at: new Date(at).toISOString() }),
        ...(forced && { force: true }),
      }),
    onSuccess: async (answer) => {
      await refresh();
      if (answer.status === "awaiting_confirmation") return;
      toast.done(answer.status === "scheduled" ? "It will be applied at its time" : done);
      onApplied();
    },
  });
  async function leaveForApproval() {
    await refresh();
    toast.waits("Waits for a second administrator.", plan.plan_id);
    onApplied();
  }
  function giveUp(then: () => void) {
    // A plan that nobody keeps lapses by itself; giving it up only tidies.
    actOnPolicy(org.id, "abandon", { plan_id: plan.plan_id }).catch(() => undefined);
    then();
  }
  const back = () => giveUp(onBack);
  if (apply.data?.confirm_by) {
    return (
      <Dialog title="In force, on trial" onClose={onApplied}>
        <Trial planId={plan.plan_id} confirmBy={apply.data.confirm_by} onDone={onApplied} />
      </Dialog>
    );
  }
  const stale = apply.error instanceof ApiError && apply.error.code === "PLAN_STALE";
  return (
    <Dialog wide title={title} description="This is what will change. Nothing has happened yet." onClose={back}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (plan.requires_approval) void leaveForApproval();
          else apply.mutate();
        }}
      >
        {note && <div className="text-pretty text-muted">{note}</div>}
        <PlanReport plan={plan} />
        {plan.requires_approval ? (
          <p className="rounded-lg bg-yellow-soft px-3 py-2 text-yellow">Your organisation wants two pairs of eyes: another administrator approves this change before it can be applied.</p>
        ) : (
          <div className="grid gap-4 sm:grid-cols-2">
            <SelectField label="Undo by itself" hint="Safe when you might cut yourself off: it comes back unless you confirm." value={trialSeconds} onChange={(event) => setChosen(event.target.value)}>
              {trialChoices(trialSeconds).map((seconds) => (
                <option key={seconds} value={seconds}>
                  {trialText(Number(seconds))}
                </option>
              ))}
            </SelectField>
            <WhenField value={at} onChange={setAt} disabled={forced} />
          </div>
        )}
        {password !== undefined && mayForce && (
          <TextField label={forced ? `Type ${password} to apply it nevertheless` : `Type ${password} to confirm`} className="font-mono" autoComplete="off" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />
        )}
        {stale ? <Stale onAgain={() => giveUp(onAgain)} /> : <Failure error={apply.error} />}
        <DialogActions>
          <Button onClick={back}>Back</Button>
          <Button type="submit" tone={danger || password !== undefined ? "danger" : "primary"} busy={apply.isPending} disabled={apply.isPending || !mayForce || (password !== undefined && typed !== password) || stale}>
            {plan.requires_approval ? "Ask for approval" : at === null ? action : "Schedule"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Stale({ onAgain }: { onAgain: () => void }) {
  return (
    <div role="alert" className="flex flex-wrap items-center justify-between gap-2 rounded-lg bg-yellow-soft px-3 py-2 text-yellow">
      The policy has changed since.
      <Button size="sm" onClick={onAgain}>
        Preview again
      </Button>
    </div>
  );
}

const offered = ["0", "60", "300", "900"];

function trialChoices(present: string): string[] {
  return offered.includes(present) ? offered : [...offered, present].sort((a, b) => Number(a) - Number(b));
}

function trialText(seconds: number): string {
  if (seconds === 0) return "No, keep it";
  return seconds % 60 === 0 ? `After ${seconds / 60} min without confirmation` : `After ${seconds} s without confirmation`;
}
