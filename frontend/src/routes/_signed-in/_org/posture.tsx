import { createFileRoute } from "@tanstack/react-router";
import { PosturePage } from "@/features/posture/posture-page";
import { readPostureSearch } from "@/features/posture/posture-search";

export const Route = createFileRoute("/_signed-in/_org/posture")({
  validateSearch: readPostureSearch,
  component: Posture,
});

function Posture() {
  const navigate = Route.useNavigate();
  return <PosturePage search={Route.useSearch()} onSearch={(change) => void navigate({ search: change, replace: true })} />;
}
