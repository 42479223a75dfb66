import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { Failure } from "../confirm";
import { Button } from "../ui/button";
import { Dialog, DialogActions } from "../ui/dialog";
import { SkeletonLines } from "../ui/skeleton";
import { previewFailed, saveDirectly } from "./direct";
import { PlanDialog, type PlanWords } from "./plan-dialog";
import { planChanges, type Changes } from "./queries";
import { WithoutPreview } from "./without-preview";

/** A change that is looked at before it is made. */
export interface Planned extends PlanWords {
  changes: () => Changes | Promise<Changes>;
  /** How it is made where no plan can be had; as the changes say, unless told otherwise. */
  direct?: () => Promise<unknown>;
}

/** Plans a change that needs no form, such as a switch, and shows the plan. */
export function PlannedChange({ changes, direct, onClose, ...words }: Planned & { onClose: () => void }) {
  const { org } = useCurrentOrg();
  const plan = useMutation({ mutationFn: async () => planChanges(org.id, await changes()) });
  const { mutate } = plan;
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    mutate();
  }, [mutate]);
  if (plan.data) return <PlanDialog {...words} plan={plan.data} onBack={onClose} onAgain={mutate} onApplied={onClose} />;
  return (
    <Dialog wide title={words.title} onClose={onClose}>
      {plan.error === null ? <SkeletonLines count={5} /> : <NoPlan error={plan.error} done={words.done} save={direct ?? (async () => saveDirectly(org.id, await changes()))} onAgain={mutate} onClose={onClose} />}
    </Dialog>
  );
}

interface NoPlanProps {
  error: Error;
  done: string;
  save: () => Promise<unknown>;
  onAgain: () => void;
  onClose: () => void;
}

function NoPlan({ error, done, save, onAgain, onClose }: NoPlanProps) {
  return (
    <div className="grid gap-4">
      {previewFailed(error) ? <WithoutPreview save={save} done={done} onDone={onClose} /> : <Failure error={error} />}
      <DialogActions>
        <Button onClick={onClose}>Close</Button>
        <Button tone="primary" onClick={onAgain}>
          Try again
        </Button>
      </DialogActions>
    </div>
  );
}
