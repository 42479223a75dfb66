import { createFileRoute } from "@tanstack/react-router";
import { ReviewPage } from "@/features/governance/reviews/review-page";

export const Route = createFileRoute("/_signed-in/_org/access-reviews/$campaignId")({ component: Review });

function Review() {
  return <ReviewPage campaignId={Route.useParams().campaignId} />;
}
