import { useMutation, useQueryClient } from "@tanstack/react-query";
import { RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { Invitation } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { RoleBadge } from "@/components/role-badge";
import { Timestamp } from "@/components/timestamp";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { toast } from "@/components/ui/toast";

export function InvitationsCard({ invitations }: { invitations: Invitation[] }) {
  return (
    <Card title="Pending Invitations">
      <ul className="divide-y divide-line">
        {invitations.map((invitation) => (
          <InvitationRow key={invitation.id} invitation={invitation} />
        ))}
      </ul>
    </Card>
  );
}

function InvitationRow({ invitation }: { invitation: Invitation }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [revoking, setRevoking] = useState(false);
  const values = { org_id: org.id, invitation_id: invitation.id };
  const refresh = () => client.invalidateQueries({ queryKey: orgKey(org.id, "org_invitations") });
  const resend = useMutation({
    mutationFn: () => act("org-management", "resend_invitation", values),
    onSuccess: () => {
      toast.done("Invitation sent again");
      return refresh();
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 py-2.5 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1 basis-48">
        <p className="flex items-center gap-2">
          <span className="truncate font-medium">{invitation.email}</span>
          <RoleBadge role={invitation.role} />
        </p>
        <p className="text-[0.83rem] text-muted">
          Sent <Timestamp at={invitation.sent_at ?? invitation.created_at} />
        </p>
      </div>
      {useIsAdmin() && (
        <div className="flex gap-2">
          <Button size="sm" busy={resend.isPending} onClick={() => resend.mutate()} aria-label={`Send the invitation to ${invitation.email} again`}>
            <RotateCw /> Resend
          </Button>
          <Button size="sm" onClick={() => setRevoking(true)} aria-label={`Revoke the invitation of ${invitation.email}`}>
            <Trash2 /> Revoke
          </Button>
        </div>
      )}
      {revoking && (
        <Confirm
          title={`Revoke the invitation of ${invitation.email}?`}
          action="Revoke"
          onClose={() => setRevoking(false)}
          onConfirm={async () => {
            await act("org-management", "revoke_invitation", values);
            toast.done("Invitation revoked");
            await refresh();
          }}
        >
          The link they were sent stops working at once.
        </Confirm>
      )}
    </li>
  );
}
