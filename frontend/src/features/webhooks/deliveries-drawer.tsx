import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ArrowLeft, ChevronDown, Inbox, RotateCw } from "lucide-react";
import { useMemo, useState } from "react";
import type { WebhookDelivery } from "@/api/answers";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import type { Webhook } from "@/api/tables";
import { ErrorState, Notice, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";
import { hostOf } from "./address";
import { DeliveryFacts } from "./delivery-facts";
import { deliveriesQuery, deliveryColours, deliveryQuery, resultOf, useWebhookStep } from "./queries";

const TEST = "webhook.test";

/** What one webhook was sent in the last 30 days. */
export function DeliveriesDrawer({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const [opened, setOpened] = useState<WebhookDelivery | null>(null);
  return (
    <Dialog as="drawer" title={opened ? "Delivery" : "Deliveries"} description={<span className="break-all">to {hostOf(webhook.url)}</span>} onClose={onClose}>
      {opened ? <Delivery delivery={opened} replayable={webhook.enabled} onBack={() => setOpened(null)} /> : <Deliveries webhook={webhook} onOpen={setOpened} />}
    </Dialog>
  );
}

function Deliveries({ webhook, onOpen }: { webhook: Webhook; onOpen: (delivery: WebhookDelivery) => void }) {
  const { org } = useCurrentOrg();
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(deliveriesQuery(org.id, webhook.id));
  const deliveries = useMemo(() => data?.pages.flatMap((page) => page.deliveries) ?? [], [data]);
  if (data === undefined) return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <SkeletonLines count={8} />;
  if (deliveries.length === 0) {
    return (
      <Notice icon={<Inbox />} title="Nothing sent yet">
        Deliveries are kept here for 30 days. Send a test to try the address.
      </Notice>
    );
  }
  return (
    <>
      <ul aria-label="Deliveries" className="-mx-2 divide-y divide-line">
        {deliveries.map((delivery) => (
          <li key={delivery.id}>
            <button type="button" onClick={() => onOpen(delivery)} className="grid w-full grid-cols-[1fr_auto] gap-x-3 gap-y-0.5 rounded-lg px-2 py-2.5 text-left hover:bg-sunken">
              <code className="min-w-0 font-mono text-[0.82rem] break-all">{delivery.event}</code>
              <span className="justify-self-end">
                <Badge colour={deliveryColours[delivery.status]}>{delivery.status}</Badge>
              </span>
              <span className="min-w-0 text-[0.8rem] break-words text-muted">
                {resultOf(delivery)}
                {delivery.attempts > 1 && `, ${plural(delivery.attempts, "try", "tries")}`}
              </span>
              <span className="text-right text-[0.8rem] text-muted">
                <Timestamp at={delivery.created_at} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {hasNextPage && (
        <Button tone="ghost" className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          <ChevronDown /> Load older
        </Button>
      )}
    </>
  );
}

function Delivery({ delivery, replayable, onBack }: { delivery: WebhookDelivery; replayable: boolean; onBack: () => void }) {
  const { org } = useCurrentOrg();
  const query = useQuery(deliveryQuery(org.id, delivery));
  const replay = useWebhookStep("replay");
  return (
    <div className="grid gap-4">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Button size="sm" tone="ghost" className="-ml-2" onClick={onBack}>
          <ArrowLeft /> All deliveries
        </Button>
        {replayable && delivery.event !== TEST && isOver(query.data ?? delivery) && (
          <Button
            size="sm"
            busy={replay.isPending}
            onClick={() => replay.mutate({ delivery_id: delivery.id }, { onSuccess: () => toast.done("It is sent again within seconds"), onError: (error) => toast.failed(messageOf(error)) })}
          >
            <RotateCw /> Replay
          </Button>
        )}
      </div>
      <QueryView query={query} skeleton={<SkeletonLines count={6} />}>
        {(whole) => <DeliveryFacts delivery={whole} />}
      </QueryView>
    </div>
  );
}

function isOver({ status }: Pick<WebhookDelivery, "status">): boolean {
  return status === "delivered" || status === "failed";
}
