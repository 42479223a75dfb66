import { createFileRoute } from "@tanstack/react-router";
import { PlanPage } from "@/features/policy/plans/plan-page";

export const Route = createFileRoute("/_signed-in/_org/acls/plans/$planId")({ component: Plan });

function Plan() {
  return <PlanPage planId={Route.useParams().planId} />;
}
