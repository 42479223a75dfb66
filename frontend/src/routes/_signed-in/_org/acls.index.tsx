import { createFileRoute } from "@tanstack/react-router";
import { readRuleSearch } from "@/features/policy/rules/rule-search";
import { RulesPage } from "@/features/policy/rules/rules-page";

export const Route = createFileRoute("/_signed-in/_org/acls/")({
  validateSearch: readRuleSearch,
  component: Acls,
});

function Acls() {
  const navigate = Route.useNavigate();
  return <RulesPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })} />;
}
