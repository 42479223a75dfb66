import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { Confirm } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { endOfDay, localInput } from "@/lib/time";
import { isOpen, review, useRefreshReviews, type Campaign } from "./queries";

/** What an administrator does with a review that is open: move its due date, or call it off. */
export function Manage({ campaign }: { campaign: Campaign }) {
  const isAdmin = useIsAdmin();
  const [asking, setAsking] = useState<"extend" | "cancel" | null>(null);
  const close = () => setAsking(null);
  if (!isAdmin || !isOpen(campaign)) return null;
  return (
    <>
      <Button onClick={() => setAsking("extend")}>Extend</Button>
      <Button onClick={() => setAsking("cancel")}>Cancel review</Button>
      {asking === "extend" && <Extend campaign={campaign} onClose={close} />}
      {asking === "cancel" && <Cancel campaign={campaign} onClose={close} />}
    </>
  );
}

interface Props {
  campaign: Campaign;
  onClose: () => void;
}

function Extend({ campaign, onClose }: Props) {
  const { org } = useCurrentOrg();
  const refresh = useRefreshReviews(org.id);
  const [day, setDay] = useState(() => localInput(campaign.due_date).slice(0, 10));
  return (
    <Confirm
      title={`Until when may ${campaign.name} take?`}
      action="Extend"
      danger={false}
      onClose={onClose}
      onConfirm={async () => {
        await review(org.id, "extend_review_campaign", { campaign_id: campaign.id, due_date: endOfDay(day) });
        await refresh();
        toast.done("Due date moved");
      }}
    >
      <div className="text-ink">
        <TextField label="Due" type="date" required min={localInput(new Date().toISOString()).slice(0, 10)} value={day} onChange={(event) => setDay(event.target.value)} />
      </div>
    </Confirm>
  );
}

function Cancel({ campaign, onClose }: Props) {
  const { org } = useCurrentOrg();
  const refresh = useRefreshReviews(org.id);
  return (
    <Confirm
      title={`Cancel ${campaign.name}?`}
      action="Cancel review"
      onClose={onClose}
      onConfirm={async () => {
        await review(org.id, "cancel_review_campaign", { campaign_id: campaign.id });
        await refresh();
        toast.done("Review cancelled");
      }}
    >
      What has been decided stays. Nothing more can be.
    </Confirm>
  );
}
