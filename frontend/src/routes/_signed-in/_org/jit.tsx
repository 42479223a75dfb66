import { createFileRoute } from "@tanstack/react-router";
import { JitPage } from "@/features/governance/jit/jit-page";
import { readJitSearch } from "@/features/governance/jit/jit-search";

export const Route = createFileRoute("/_signed-in/_org/jit")({
  validateSearch: readJitSearch,
  component: Jit,
});

function Jit() {
  const navigate = Route.useNavigate();
  return <JitPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: change, replace: true })} />;
}
