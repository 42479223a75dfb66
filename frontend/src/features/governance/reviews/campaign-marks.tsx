import { Badge, type Colour } from "@/components/ui/badge";
import type { Campaign, CampaignStatus } from "./queries";

const colours: Record<CampaignStatus, Colour> = { pending: "yellow", active: "blue", completed: "green", cancelled: "grey" };

export function CampaignBadge({ campaign: { status, overdue } }: { campaign: Campaign }) {
  return (
    <>
      <Badge colour={colours[status]}>{status}</Badge>
      {overdue && <Badge colour="red">overdue</Badge>}
    </>
  );
}

export function Progress({ campaign: { decided, total } }: { campaign: Pick<Campaign, "decided" | "total"> }) {
  const share = total === 0 ? 1 : decided / total;
  return (
    <div className="flex items-center gap-3">
      <div className="h-2 flex-1 overflow-hidden rounded-full bg-grey-soft" role="img" aria-label={`${decided} of ${total} decided`}>
        <div className="h-full rounded-full bg-green-dot transition-[width]" style={{ width: `${share * 100}%` }} />
      </div>
      <span className="text-[0.83rem] text-muted tabular-nums" aria-hidden>
        {decided}/{total}
      </span>
    </div>
  );
}
