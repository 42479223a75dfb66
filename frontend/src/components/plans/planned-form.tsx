import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError } from "@/api/error";
import { Failure } from "../confirm";
import { Button } from "../ui/button";
import { DialogActions } from "../ui/dialog";
import { previewFailed, saveDirectly } from "./direct";
import { PlanDialog, type PlanWords } from "./plan-dialog";
import type { Planned } from "./planned-change";
import { planChanges } from "./queries";
import type { PlanAnswer } from "./report";
import { WithoutPreview } from "./without-preview";

interface Options extends Planned {
  /** What shows to be wrong before anybody is asked, by the column it is about. */
  faults?: Partial<Record<string, string>>;
}

export interface Planning {
  words: PlanWords;
  plan: PlanAnswer | undefined;
  error: Error | null;
  isPending: boolean;
  /** The way on when no plan can be had. */
  save: () => Promise<unknown>;
  /** What to say at a field; nothing before the first try. */
  errorAt: (column: string) => string | null;
  preview: () => void;
  reset: () => void;
}

/** Asks for the plan of what a form holds. */
export function usePlanning({ faults = {}, changes, direct, ...words }: Options): Planning {
  const { org } = useCurrentOrg();
  const [tried, setTried] = useState(false);
  const { data: plan, error, isPending, mutate, reset } = useMutation({ mutationFn: async () => planChanges(org.id, await changes()) });
  const refused = error instanceof ApiError ? error : null;
  return {
    words,
    plan,
    error,
    isPending,
    save: direct ?? (async () => saveDirectly(org.id, await changes())),
    errorAt: (column) => (tried ? (faults[column] ?? (refused?.field === column ? refused.message : null)) : null),
    preview() {
      setTried(true);
      if (Object.keys(faults).length === 0) mutate();
    },
    reset,
  };
}

interface Props {
  planning: Planning;
  /** The columns whose faults stand at their fields. */
  shownAt: readonly string[];
  disabled?: boolean;
  /** What the button that asks for the plan says. */
  submit?: string;
  /** Buttons of its own. */
  extra?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

/** A form whose change is shown before it is made; the plan is what gets applied. */
export function PlannedForm({ planning, shownAt, disabled = false, submit = "Preview", extra, onClose, children }: Props) {
  const { words, plan, error, isPending, save, preview, reset } = planning;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Busy it lost the focus, and the plan could not give it back.
    const asked = button.current;
    if (plan) return () => asked?.focus();
  }, [plan]);
  const atField = error instanceof ApiError && error.field !== null && shownAt.includes(error.field);
  return (
    <>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          preview();
        }}
      >
        {children}
        {previewFailed(error) ? <WithoutPreview save={save} done={words.done} onDone={onClose} /> : <Failure error={atField ? null : error} />}
        <DialogActions>
          {extra}
          <Button onClick={onClose}>Cancel</Button>
          <Button ref={button} type="submit" tone="primary" busy={isPending} disabled={isPending || disabled}>
            {submit}
          </Button>
        </DialogActions>
      </form>
      {plan && <PlanDialog {...words} plan={plan} onBack={reset} onAgain={preview} onApplied={onClose} />}
    </>
  );
}
