import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { orgSettingsQuery } from "@/api/org-settings";
import { FormFailure } from "../confirm";
import { ErrorState } from "../states";
import { Button, buttonClass } from "../ui/button";
import { Dialog, DialogActions } from "../ui/dialog";
import { SelectField, TextField } from "../ui/field";
import { SkeletonLines } from "../ui/skeleton";
import { toast } from "../ui/toast";
import { previewFailed } from "./direct";
import { PlanReport } from "./plan-report";
import { actOnPolicy, planChanges, useCompletedPlan, useRefreshPolicy, type Applied, type Changes } from "./queries";
import { locksOut, type PlanAnswer } from "./report";
import { WhenField } from "./when";
import { Trial } from "./trial";
import { WithoutPreview } from "./without-preview";

interface Props {
  title: string;
  plan: PlanAnswer;
  /** What to say once it is in force. */
  done: string;
  onBack: () => void;
  onApplied: () => void;
}

/** Shows what a change would do before it is made; Apply makes it, on trial if wanted. */
export function PlanDialog({ title, plan: made, done, onBack, onApplied }: Props) {
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

  const apply = useMutation({
    mutationFn: () =>
      actOnPolicy<Applied>(org.id, "apply", {
        plan_id: plan.plan_id,
        confirm_within_seconds: Number(trialSeconds),
        ...(at !== null && { activate_at: new Date(at).toISOString() }),
        ...((failing || risky) && { force: true }),
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
    toast.done("Waits for a second administrator");
    onApplied();
  }
  function giveUp() {
    // A plan that nobody keeps lapses by itself; giving it up only tidies.
    actOnPolicy(org.id, "abandon", { plan_id: plan.plan_id }).catch(() => undefined);
    onBack();
  }
  if (apply.data?.confirm_by) {
    return (
      <Dialog title="In force, on trial" onClose={onApplied}>
        <Trial planId={plan.plan_id} confirmBy={apply.data.confirm_by} onDone={onApplied} />
      </Dialog>
    );
  }
  const code = apply.error instanceof ApiError ? apply.error.code : null;
  return (
    <Dialog wide title={title} description="This is what will change. Nothing has happened yet." onClose={giveUp}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (plan.requires_approval) void leaveForApproval();
          else apply.mutate();
        }}
      >
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
            <WhenField value={at} onChange={setAt} disabled={risky || failing} />
          </div>
        )}
        {(risky || failing) && mayForce && (
          <TextField label={`Type ${org.slug} to apply it nevertheless`} className="font-mono" autoComplete="off" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />
        )}
        <Refusal error={apply.error} code={code} planId={plan.plan_id} />
        <DialogActions>
          <Button onClick={giveUp}>Back</Button>
          <Button type="submit" tone={risky || failing ? "danger" : "primary"} busy={apply.isPending} disabled={apply.isPending || !mayForce || ((risky || failing) && typed !== org.slug) || code === "PLAN_STALE"}>
            {plan.requires_approval ? "Ask for approval" : at === null ? "Apply" : "Schedule"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Refusal({ error, code, planId }: { error: unknown; code: string | null; planId: string }) {
  if (!error) return null;
  if (code === "FOUR_EYES_REQUIRED") {
    return (
      <div role="alert" className="flex flex-wrap items-center justify-between gap-2 rounded-lg bg-yellow-soft px-3 py-2 text-yellow">
        A second administrator must approve this plan.
        <Link to="/acls/plans/$planId" params={{ planId }} className={buttonClass("quiet", "sm")}>
          Open the plan
        </Link>
      </div>
    );
  }
  return <FormFailure text={code === "PLAN_STALE" ? "The policy has changed since. Go back and save again to see what your change means now." : messageOf(error)} />;
}

const offered = ["0", "60", "300", "900"];

function trialChoices(present: string): string[] {
  return offered.includes(present) ? offered : [...offered, present].sort((a, b) => Number(a) - Number(b));
}

function trialText(seconds: number): string {
  if (seconds === 0) return "No, keep it";
  return seconds % 60 === 0 ? `After ${seconds / 60} min without confirmation` : `After ${seconds} s without confirmation`;
}

interface PlannedProps {
  title: string;
  changes: Changes;
  done: string;
  onClose: () => void;
}

/** Plans a change that needs no form, such as a switch, and shows the plan. */
export function PlannedChange({ title, changes, done, onClose }: PlannedProps) {
  const { org } = useCurrentOrg();
  const plan = useMutation({ mutationFn: () => planChanges(org.id, changes) });
  const { mutate } = plan;
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    mutate();
  }, [mutate]);
  if (plan.data) return <PlanDialog title={title} plan={plan.data} done={done} onBack={onClose} onApplied={onClose} />;
  return (
    <Dialog wide title={title} onClose={onClose}>
      {plan.error === null && <SkeletonLines count={5} />}
      {plan.error !== null && (previewFailed(plan.error) ? <WithoutPreview changes={changes} done={done} onDone={onClose} /> : <ErrorState error={plan.error} onRetry={() => plan.mutate()} />)}
    </Dialog>
  );
}
