import type { WebhookDeliveryWhole } from "@/api/answers";
import { Copyable } from "@/components/copy";
import { Countdown } from "@/components/countdown";
import { Timestamp } from "@/components/timestamp";
import { Badge } from "@/components/ui/badge";
import { Fact, Facts } from "@/components/ui/card";
import { plural } from "@/lib/time";
import { deliveryColours, resultOf } from "./queries";

/** Everything known of one delivery. */
export function DeliveryFacts({ delivery }: { delivery: WebhookDeliveryWhole }) {
  return (
    <div className="grid gap-4">
      <Facts>
        <Fact name="Event">
          <code className="font-mono text-[0.82rem] break-all">{delivery.event}</code>
        </Fact>
        <Fact name="State">
          <Badge colour={deliveryColours[delivery.status]}>{delivery.status}</Badge>
        </Fact>
        <Fact name="Answer">{resultOf(delivery)}</Fact>
        {isRedirect(delivery) && <Fact name="Failure">{delivery.error}</Fact>}
        <Fact name="Tries">
          {plural(delivery.attempts, "try", "tries")}
          {delivery.next_try_at && (
            <span className="text-muted">
              next in <Countdown until={delivery.next_try_at} />
            </span>
          )}
        </Fact>
        <Fact name="Last try">
          <Timestamp at={delivery.attempted_at} />
        </Fact>
        <Fact name="Delivery id">
          <Copyable text={delivery.id} label="delivery id" />
        </Fact>
      </Facts>
      <Text title="Sent" text={pretty(delivery.body)} />
      {delivery.response && <Text title="Answered" text={delivery.response} />}
    </div>
  );
}

function Text({ title, text }: { title: string; text: string }) {
  return (
    <section>
      <h3 className="mb-1.5 font-medium">{title}</h3>
      <pre className="max-h-80 overflow-auto rounded-lg bg-sunken p-3 font-mono text-[0.78rem] break-words whitespace-pre-wrap">{text}</pre>
    </section>
  );
}

// Of other answers the status says it all.
function isRedirect({ response_status }: WebhookDeliveryWhole): boolean {
  return response_status !== null && response_status >= 300 && response_status < 400;
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
