import { textParam } from "@/lib/search-params";

export interface WebhookSearch {
  /** The webhook whose deliveries are shown. */
  deliveries?: string;
}

export function readWebhookSearch(search: Record<string, unknown>): WebhookSearch {
  return { deliveries: textParam(search.deliveries) };
}
