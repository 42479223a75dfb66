import { ListOrdered, Send } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/error";
import type { Webhook } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { SwitchedControls } from "@/components/item-controls";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { hostOf, pathOf } from "./address";
import { stateOf, useWebhookStep } from "./queries";
import { TestDialog } from "./test-dialog";
import { WebhookDialog } from "./webhook-dialog";

const EVENTS_SHOWN = 6;

/** One webhook: where it goes, what it is told of, how it does. */
export function WebhookCard({ webhook, onDeliveries }: { webhook: Webhook; onDeliveries: () => void }) {
  const [dialog, setDialog] = useState<"edit" | "delete" | "test" | null>(null);
  const close = () => setDialog(null);
  const update = useWebhookStep("update");
  const remove = useWebhookStep("delete");
  const state = stateOf(webhook);
  const host = hostOf(webhook.url);
  function switchTo(enabled: boolean) {
    update.mutate(
      { webhook_id: webhook.id, enabled },
      { onSuccess: () => toast.done(enabled ? "Webhook switched on" : "Webhook switched off"), onError: (error) => toast.failed(messageOf(error)) },
    );
  }
  return (
    <article aria-label={`Webhook to ${host}`} className="min-w-0 rounded-2xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <div className="min-w-0 flex-1 basis-60">
          <h2 className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <span className="min-w-0 font-semibold break-all">{host}</span>
            <Badge colour={state.colour}>{state.text}</Badge>
          </h2>
          <p className="font-mono text-[0.8rem] break-all text-muted">{pathOf(webhook.url)}</p>
        </div>
        <div className="flex items-center gap-1">
          <SwitchedControls
            name={`webhook to ${host}`}
            enabled={webhook.enabled}
            busy={update.isPending}
            onSwitch={switchTo}
            onEdit={() => setDialog("edit")}
            onDelete={() => setDialog("delete")}
          />
        </div>
      </header>
      <Events events={webhook.events} />
      <footer className="mt-3 flex flex-wrap items-center gap-2">
        <p className="min-w-0 flex-1 basis-48 text-[0.83rem] text-muted">
          <LastDelivery webhook={webhook} />
        </p>
        <div className="flex gap-2">
          <Button size="sm" onClick={() => setDialog("test")}>
            <Send /> Test
          </Button>
          <Button size="sm" onClick={onDeliveries}>
            <ListOrdered /> Deliveries
          </Button>
        </div>
      </footer>
      {dialog === "edit" && <WebhookDialog webhook={webhook} onClose={close} />}
      {dialog === "test" && <TestDialog webhook={webhook} onClose={close} />}
      {dialog === "delete" && (
        <Confirm
          title={`Delete the webhook to ${host}?`}
          action="Delete"
          onClose={close}
          onConfirm={async () => {
            await remove.mutateAsync({ webhook_id: webhook.id });
            toast.done("Webhook deleted");
          }}
        >
          It is told of nothing any more, and its deliveries are deleted with it. This can't be undone.
        </Confirm>
      )}
    </article>
  );
}

function LastDelivery({ webhook: { last_attempt_at, last_ok, failing_since } }: { webhook: Webhook }) {
  if (last_attempt_at === null) return "Nothing has been sent yet.";
  return (
    <>
      Last delivery <Timestamp at={last_attempt_at} />, {last_ok ? "taken" : "failed"}.
      {failing_since && (
        <>
          {" "}
          Failing since <Timestamp at={failing_since} />.
        </>
      )}
    </>
  );
}

function Events({ events }: { events: string[] }) {
  const [open, setOpen] = useState(false);
  const shown = open ? events : events.slice(0, EVENTS_SHOWN);
  const hidden = events.length - shown.length;
  return (
    <p className="mt-2.5 flex flex-wrap items-center gap-1">
      {shown.map((event) => (
        <Badge key={event} mono colour="blue">
          {event === "*" ? "everything" : event}
        </Badge>
      ))}
      {hidden > 0 && (
        <button type="button" onClick={() => setOpen(true)} aria-label={`Show ${hidden} more events`} className="rounded-md">
          <Badge>+{hidden}</Badge>
        </button>
      )}
    </p>
  );
}
