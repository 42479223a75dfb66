import { createFileRoute } from "@tanstack/react-router";
import { ReviewsPage } from "@/features/governance/reviews/reviews-page";

export const Route = createFileRoute("/_signed-in/_org/access-reviews/")({ component: ReviewsPage });
