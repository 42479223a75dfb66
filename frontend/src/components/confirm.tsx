import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { messageOf, planKept } from "@/api/error";
import { Button, buttonClass } from "./ui/button";
import { Dialog, DialogActions } from "./ui/dialog";
import { TextField } from "./ui/field";

interface Props {
  title: string;
  children: ReactNode;
  action: string;
  danger?: boolean;
  /** Text that must be typed before the action is open. */
  typed?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something that matters; stays open, with the reason, when it fails. */
export function Confirm({ title, children, action, danger = true, typed, onConfirm, onClose }: Props) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const kept = planKept(failure) !== null;

  async function confirm() {
    setBusy(true);
    setFailure(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        <div className="text-pretty text-muted">{children}</div>
        {typed && (
          <TextField
            label={`Type ${typed} to confirm`}
            value={text}
            onChange={(event) => setText(event.target.value)}
            autoComplete="off"
            spellCheck={false}
            className="font-mono"
          />
        )}
        <Failure error={failure} />
        <DialogActions>
          <Button onClick={onClose}>{kept ? "Close" : "Cancel"}</Button>
          {!kept && (
            <Button type="submit" tone={danger ? "danger" : "primary"} busy={busy} disabled={busy || (typed !== undefined && text !== typed)}>
              {action}
            </Button>
          )}
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** Why a form was not accepted, read out at once. */
export function FormFailure({ text }: { text: string | null }) {
  if (!text) return null;
  return (
    <p role="alert" className="rounded-lg bg-red-soft px-3 py-2 text-red">
      {text}
    </p>
  );
}

/** Why something was not done; a change that was kept for a second administrator is no failure, and leads to its plan. */
export function Failure({ error }: { error: unknown }) {
  if (!error) return null;
  const planId = planKept(error);
  if (planId === null) return <FormFailure text={messageOf(error)} />;
  return (
    <div role="status" className="flex flex-wrap items-center justify-between gap-2 rounded-lg bg-yellow-soft px-3 py-2 text-yellow">
      {messageOf(error)}
      <Link to="/acls/plans/$planId" params={{ planId }} className={buttonClass("quiet", "sm")}>
        Open the plan
      </Link>
    </div>
  );
}
