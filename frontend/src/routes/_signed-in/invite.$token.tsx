import { createFileRoute } from "@tanstack/react-router";
import { InvitePage } from "@/features/orgs/invite-page";

export const Route = createFileRoute("/_signed-in/invite/$token")({ component: Invite });

function Invite() {
  const navigate = Route.useNavigate();
  return <InvitePage token={Route.useParams().token} onAccepted={() => void navigate({ to: "/dashboard" })} />;
}
