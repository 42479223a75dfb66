import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ClipboardCheck, Plus } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { membersQuery } from "@/api/members";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { localDate } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { CampaignBadge, Progress } from "./campaign-marks";
import { CreateDialog } from "./create-dialog";
import { campaignsQuery, type Campaign } from "./queries";

/** Campaigns in which somebody looks at every machine and rule, and says which of them stay. */
export function ReviewsPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl");
  const query = useQuery(campaignsQuery(org.id));
  const [creating, setCreating] = useState(false);
  const create = isAdmin && (
    <Button tone="primary" onClick={() => setCreating(true)}>
      <Plus /> New review
    </Button>
  );
  return (
    <Page title="Access reviews" subtitle="Is every machine and every rule still needed?" actions={create}>
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-24" />}>
        {(campaigns) =>
          campaigns.length > 0 ? (
            <ul className="grid gap-3 xl:grid-cols-2">
              {campaigns.map((campaign) => (
                <li key={campaign.id}>
                  <CampaignCard campaign={campaign} />
                </li>
              ))}
            </ul>
          ) : (
            <Notice icon={<ClipboardCheck />} title="No review yet" action={create}>
              A review lists every machine and every enabled rule. What its reviewer revokes is cut off at once.
            </Notice>
          )
        }
      </QueryView>
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

function CampaignCard({ campaign }: { campaign: Campaign }) {
  const { org, user } = useCurrentOrg();
  const { data: members } = useQuery(membersQuery(org.id));
  const reviewer = members?.find(({ user_id }) => user_id === campaign.reviewer_user_id);
  return (
    <article className="relative h-full rounded-2xl border border-line bg-surface p-4 shadow-card hover:border-line-strong sm:p-5">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="min-w-0 font-semibold tracking-tight break-words">
          <Link to="/access-reviews/$campaignId" params={{ campaignId: campaign.id }} className="rounded after:absolute after:inset-0 hover:text-accent">
            {campaign.name}
          </Link>
        </h2>
        <CampaignBadge campaign={campaign} />
      </div>
      {campaign.description && <p className="mt-1 text-pretty text-muted">{campaign.description}</p>}
      <p className="mt-1 mb-3 text-[0.85rem] text-muted">
        {campaign.reviewer_user_id === user.id ? "You review" : `Reviewed by ${reviewer?.email ?? "a former member"}`}, due {localDate(campaign.due_date)}
      </p>
      <Progress campaign={campaign} />
    </article>
  );
}
