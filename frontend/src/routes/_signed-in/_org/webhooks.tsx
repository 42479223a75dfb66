import { createFileRoute } from "@tanstack/react-router";
import { readWebhookSearch } from "@/features/webhooks/webhook-search";
import { WebhooksPage } from "@/features/webhooks/webhooks-page";

export const Route = createFileRoute("/_signed-in/_org/webhooks")({
  validateSearch: readWebhookSearch,
  component: Webhooks,
});

function Webhooks() {
  const navigate = Route.useNavigate();
  return <WebhooksPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })} />;
}
