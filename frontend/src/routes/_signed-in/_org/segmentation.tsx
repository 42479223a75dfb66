import { createFileRoute } from "@tanstack/react-router";
import { SegmentationPage } from "@/features/policy/segmentation/segmentation-page";
import { textParam } from "@/lib/search-params";

export const Route = createFileRoute("/_signed-in/_org/segmentation")({
  validateSearch: (search): { q?: string } => ({ q: textParam(search.q) }),
  component: Segmentation,
});

function Segmentation() {
  const navigate = Route.useNavigate();
  return <SegmentationPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: change, replace: true })} />;
}
