import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { MailX } from "lucide-react";
import { call } from "@/api/client";
import { rememberOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { userKeys } from "@/api/keys";
import type { Role } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { FrontPage } from "@/components/front-page";
import { RoleBadge } from "@/components/role-badge";
import { Notice, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Button, buttonClass } from "@/components/ui/button";
import { Fact, Facts } from "@/components/ui/card";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";

interface Invitation {
  org_name: string;
  role: Role;
  email: string;
  expires_at: string;
}

/** Says what one is invited to, and joins. */
export function InvitePage({ token, onAccepted }: { token: string; onAccepted: () => void }) {
  const invitation = useQuery({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => call<Invitation>(`/api/invitation/${encodeURIComponent(token)}`, { signal }),
  });
  if (invitation.error instanceof ApiError && invitation.error.code === "INVALID_INVITATION") return <NoInvitation />;
  return (
    <FrontPage title="You are invited">
      <QueryView query={invitation} skeleton={<SkeletonLines count={4} />}>
        {(shown) => <Accept token={token} invitation={shown} onAccepted={onAccepted} />}
      </QueryView>
    </FrontPage>
  );
}

function Accept({ token, invitation, onAccepted }: { token: string; invitation: Invitation; onAccepted: () => void }) {
  const client = useQueryClient();
  const accept = useMutation({
    mutationFn: () => call<{ org_id: string; org_name: string }>("/api/accept-invitation", { method: "POST", body: { token } }),
    onSuccess: ({ org_id, org_name }) => {
      toast.done(`Invitation accepted! You've joined ${org_name}`);
      rememberOrg(org_id);
      client.removeQueries({ queryKey: userKeys.memberships });
      onAccepted();
    },
  });
  return (
    <div className="grid gap-5">
      <div className="rounded-2xl border border-line bg-surface p-4 shadow-card">
        <Facts>
          <Fact name="Organisation">{invitation.org_name}</Fact>
          <Fact name="Role">
            <RoleBadge role={invitation.role} />
          </Fact>
          <Fact name="Invited">{invitation.email}</Fact>
          <Fact name="Valid until">
            <Timestamp at={invitation.expires_at} />
          </Fact>
        </Facts>
      </div>
      <FormFailure text={accept.error ? messageOf(accept.error) : null} />
      <Button tone="primary" busy={accept.isPending} onClick={() => accept.mutate()}>
        Accept Invitation
      </Button>
    </div>
  );
}

function NoInvitation() {
  return (
    <FrontPage title="You are invited">
      <Notice
        icon={<MailX />}
        title="This invitation is no longer valid"
        action={
          <Link to="/dashboard" className={buttonClass("quiet")}>
            Go to the dashboard
          </Link>
        }
      >
        It was used, withdrawn, or its time is over. Ask whoever invited you for a new one.
      </Notice>
    </FrontPage>
  );
}
