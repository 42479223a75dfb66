import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import type { Webhook } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { SecretOnce } from "@/components/copy";
import { QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { SkeletonLines } from "@/components/ui/skeleton";
import { SwitchRow } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { EventPicker } from "./event-picker";
import { eventGroupsQuery, useWebhookStep } from "./queries";

const MAX_URL = 2000;

/** Makes a webhook, or changes one; a secret that comes of it is shown on this one occasion. */
export function WebhookDialog({ webhook, onClose }: { webhook?: Webhook; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const groups = useQuery(eventGroupsQuery(org.id));
  const create = useWebhookStep("create");
  const update = useWebhookStep("update");
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [events, setEvents] = useState(webhook?.events ?? []);
  const [renew, setRenew] = useState(false);
  const secret = create.data?.secret ?? update.data?.secret;
  if (secret) return <SecretDialog secret={secret} onClose={onClose} />;

  const error = create.error ?? update.error;
  const busy = create.isPending || update.isPending;
  const field = error instanceof ApiError ? error.field : null;
  const failure = error ? messageOf(error) : null;
  const atUrl = field === "url";
  const atEvents = field?.startsWith("events") ?? false;
  function save() {
    const values = { url: url.trim(), events };
    if (webhook) update.mutate({ webhook_id: webhook.id, ...values, ...(renew && { renew_secret: true }) }, { onSuccess: ({ secret: renewed }) => !renewed && done("Webhook saved") });
    else create.mutate(values);
  }
  function done(text: string) {
    toast.done(text);
    onClose();
  }
  return (
    <Dialog title={webhook ? "Edit webhook" : "Add webhook"} description="Each event is sent as a signed POST of JSON." onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <TextField
          label="Address"
          type="url"
          required
          maxLength={MAX_URL}
          placeholder="https://hooks.example.com/quickztna"
          className="font-mono"
          autoCapitalize="none"
          spellCheck={false}
          hint="https with a valid certificate, at a public address."
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          error={atUrl ? failure : null}
        />
        <QueryView query={groups} skeleton={<SkeletonLines count={4} />}>
          {(found) => <EventPicker groups={found} chosen={events} onChange={setEvents} error={atEvents ? failure : null} />}
        </QueryView>
        {webhook && <SwitchRow label="Renew the secret" hint="The present one signs nothing from then on." checked={renew} onChange={setRenew} />}
        <FormFailure text={atUrl || atEvents ? null : failure} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={busy} disabled={busy || events.length === 0}>
            {webhook ? "Save" : "Add"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function SecretDialog({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog title="The webhook's secret" description="Check the signature of what you receive with it." onClose={onClose} dismissable={false}>
      <SecretOnce secret={secret} label="secret" note="Copy it now. It is kept sealed and can't be shown again." />
      <DialogActions>
        <Button tone="primary" onClick={onClose}>
          Done
        </Button>
      </DialogActions>
    </Dialog>
  );
}
