import { createFileRoute } from "@tanstack/react-router";
import { AuditPage } from "@/features/audit/audit-page";
import { readAuditSearch } from "@/features/audit/audit-search";

export const Route = createFileRoute("/_signed-in/_org/audit-log")({
  validateSearch: readAuditSearch,
  component: Audit,
});

function Audit() {
  const navigate = Route.useNavigate();
  return <AuditPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })} />;
}
