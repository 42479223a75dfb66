import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { act, type ActionOf, type AnswerOf, type ValuesOf } from "@/api/act";
import type { WebhookDelivery, WebhookDeliveryWhole } from "@/api/answers";
import { useCurrentOrg } from "@/api/current-org";
import { from } from "@/api/from";
import { orgKey } from "@/api/keys";
import type { Webhook } from "@/api/tables";
import type { Colour } from "@/components/ui/badge";

const WINDOW_ROWS = 50;

export function webhooksQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "webhooks"),
    queryFn: ({ signal }) => from("webhooks").in(orgId).order("created_at").rows(signal),
  });
}

/** What can be asked for; it changes with the control plane's version only. */
export function eventGroupsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "webhook_events"),
    staleTime: Infinity,
    queryFn: async ({ signal }) => (await act("webhooks", "events", { org_id: orgId }, signal)).groups,
  });
}

/** What one webhook was sent, newest first, one window after the other. */
export function deliveriesQuery(orgId: string, webhookId: string) {
  return infiniteQueryOptions({
    queryKey: orgKey(orgId, "webhook_deliveries", webhookId),
    staleTime: 0,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      act("webhooks", "deliveries", { org_id: orgId, webhook_id: webhookId, limit: WINDOW_ROWS, cursor: pageParam }, signal),
    getNextPageParam: ({ next_cursor }) => next_cursor,
  });
}

/** One delivery with what was sent and answered. */
export function deliveryQuery(orgId: string, { id, webhook_id }: Pick<WebhookDelivery, "id" | "webhook_id">) {
  return queryOptions({
    queryKey: orgKey(orgId, "webhook_deliveries", webhook_id, id),
    queryFn: async ({ signal }) => {
      const { deliveries } = await act("webhooks", "deliveries", { org_id: orgId, webhook_id, delivery_id: id }, signal);
      // Asked for by its id it comes whole, and a missing one is a failure.
      return deliveries[0] as WebhookDeliveryWhole;
    },
  });
}

type WebhookAction = Exclude<ActionOf<"webhooks">, "events" | "deliveries">;

/** One step, after which webhooks and deliveries are read again. */
export function useWebhookStep<A extends WebhookAction>(action: A) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return useMutation({
    // The parts are checked by the caller's types; their union over all actions is more than the compiler wants to hold.
    mutationFn: (values: Omit<ValuesOf<"webhooks", A>, "org_id">): Promise<AnswerOf<"webhooks", A>> => act("webhooks", action, { org_id: org.id, ...values } as never),
    onSuccess: () => Promise.all(["webhooks", "webhook_deliveries"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) }))),
  });
}

export interface State {
  text: string;
  colour: Colour;
}

/** How a webhook does, in a word. */
export function stateOf({ enabled, disabled_at, failing_since, last_ok }: Webhook): State {
  if (!enabled) return disabled_at ? { text: "Switched off after failures", colour: "red" } : { text: "Off", colour: "grey" };
  if (failing_since) return { text: "Failing", colour: "orange" };
  return last_ok === null ? { text: "Nothing sent yet", colour: "grey" } : { text: "Delivering", colour: "green" };
}

export const deliveryColours: Record<WebhookDelivery["status"], Colour> = { pending: "yellow", sending: "blue", delivered: "green", failed: "red" };

/** What came of the last try: "204 in 35 ms", "no connection", "not tried yet". */
export function resultOf({ attempted_at, response_status, error, duration_ms }: WebhookDelivery): string {
  if (attempted_at === null) return error || "not tried yet";
  return response_status === null ? error : `${response_status} in ${duration_ms ?? 0} ms`;
}
