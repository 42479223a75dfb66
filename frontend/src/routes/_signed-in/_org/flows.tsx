import { createFileRoute } from "@tanstack/react-router";
import { readFlowSearch } from "@/features/policy/flows/flow-search";
import { FlowsPage } from "@/features/policy/flows/flows-page";

export const Route = createFileRoute("/_signed-in/_org/flows")({
  validateSearch: readFlowSearch,
  component: Flows,
});

function Flows() {
  const navigate = Route.useNavigate();
  return <FlowsPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })} />;
}
