import { createFileRoute } from "@tanstack/react-router";
import { CreateOrgPage } from "@/features/orgs/create-org-page";

export const Route = createFileRoute("/_signed-in/create-org")({ component: CreateOrg });

function CreateOrg() {
  const navigate = Route.useNavigate();
  return <CreateOrgPage onCreated={() => void navigate({ to: "/dashboard" })} />;
}
