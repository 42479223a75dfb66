import { createFileRoute } from "@tanstack/react-router";
import { MachinePage } from "@/features/machines/detail/machine-page";

export const Route = createFileRoute("/_signed-in/_org/machines/$machineId")({ component: Machine });

function Machine() {
  return <MachinePage machineId={Route.useParams().machineId} />;
}
