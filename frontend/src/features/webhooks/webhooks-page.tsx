import { useQuery } from "@tanstack/react-query";
import { Plus, Webhook as WebhookIcon } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { Page } from "@/components/page";
import { Forbidden, Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { DeliveriesDrawer } from "./deliveries-drawer";
import { webhooksQuery } from "./queries";
import { WebhookCard } from "./webhook-card";
import { WebhookDialog } from "./webhook-dialog";
import type { WebhookSearch } from "./webhook-search";

interface Props {
  search: WebhookSearch;
  onSearch: (change: WebhookSearch) => void;
}

const TITLE = "Webhooks";
const MOST = 20;

/** Addresses outside that are told of what happens here. */
export function WebhooksPage(props: Props) {
  // Not asked for by those who would be refused.
  return useIsAdmin() ? (
    <Webhooks {...props} />
  ) : (
    <Page title={TITLE}>
      <Forbidden />
    </Page>
  );
}

function Webhooks({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  useChannels("general");
  const query = useQuery(webhooksQuery(org.id));
  const [adding, setAdding] = useState(false);
  const full = (query.data?.length ?? 0) >= MOST;
  const add = (
    <Button tone="primary" disabled={full} title={full ? `An organisation has at most ${MOST}` : undefined} onClick={() => setAdding(true)}>
      <Plus /> Add webhook
    </Button>
  );
  const opened = query.data?.find(({ id }) => id === search.deliveries);
  return (
    <Page title={TITLE} subtitle="Tell other systems of what happens here, as it happens." actions={add}>
      <QueryView query={query} skeleton={<SkeletonLines count={6} />}>
        {(webhooks) =>
          webhooks.length ? (
            <div className="grid gap-3">
              {webhooks.map((webhook) => (
                <WebhookCard key={webhook.id} webhook={webhook} onDeliveries={() => onSearch({ deliveries: webhook.id })} />
              ))}
            </div>
          ) : (
            <Notice icon={<WebhookIcon />} title="No webhook yet" action={add}>
              A webhook is sent events as signed JSON: a request for access to those who approve it in a chat, a new machine to an inventory, a changed rule to whoever
              watches over them.
            </Notice>
          )
        }
      </QueryView>
      {adding && <WebhookDialog onClose={() => setAdding(false)} />}
      {opened && <DeliveriesDrawer webhook={opened} onClose={() => onSearch({ deliveries: undefined })} />}
    </Page>
  );
}
