import { createFileRoute } from "@tanstack/react-router";
import { VersionsPage, type VersionSearch } from "@/features/governance/versions/versions-page";
import { textParam } from "@/lib/search-params";

export const Route = createFileRoute("/_signed-in/_org/policy-versions")({
  validateSearch: (search): VersionSearch => ({ tab: search.tab === "single" ? "single" : undefined, rule: textParam(search.rule) }),
  component: Versions,
});

function Versions() {
  const navigate = Route.useNavigate();
  return <VersionsPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })} />;
}
