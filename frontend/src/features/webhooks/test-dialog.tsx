import { useEffect, useRef } from "react";
import type { Webhook } from "@/api/tables";
import { ErrorState } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SkeletonLines } from "@/components/ui/skeleton";
import { hostOf } from "./address";
import { DeliveryFacts } from "./delivery-facts";
import { useWebhookStep } from "./queries";

/** Sends a test at once, and shows what was answered. */
export function TestDialog({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const { mutate, data, error, isPending } = useWebhookStep("test");
  const sent = useRef(false);
  const send = () => mutate({ webhook_id: webhook.id });
  useEffect(() => {
    // Opening is asking for it: once, however often React runs effects.
    if (sent.current) return;
    sent.current = true;
    mutate({ webhook_id: webhook.id });
  }, [mutate, webhook.id]);
  return (
    <Dialog title={`Test of ${hostOf(webhook.url)}`} description="A webhook.test event, sent once and now." onClose={onClose}>
      {error ? <ErrorState error={error} onRetry={send} /> : data ? <DeliveryFacts delivery={data} /> : <SkeletonLines count={4} />}
      <DialogActions>
        {data && (
          <Button busy={isPending} onClick={send}>
            Send again
          </Button>
        )}
        <Button tone="primary" onClick={onClose}>
          Close
        </Button>
      </DialogActions>
    </Dialog>
  );
}
