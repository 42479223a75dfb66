import { queryOptions, useQuery } from "@tanstack/react-query";
import { Download, UserPlus } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin, useMayInspect } from "@/api/current-org";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import { membersQuery, type Member } from "@/api/members";
import { Page } from "@/components/page";
import { QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toCsv } from "@/lib/csv";
import { download } from "@/lib/download";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { InvitationsCard } from "./invitations-card";
import { InviteDialog } from "./invite-dialog";
import { MembersTable } from "./members-table";

function invitationsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "org_invitations", narrowedBy({ status: "pending" })),
    queryFn: ({ signal }) => from("org_invitations").in(orgId).eq("status", "pending").order("created_at", "desc").rows(signal),
  });
}

export function UsersPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("members");
  const members = useQuery(membersQuery(org.id));
  const invitations = useQuery({ ...invitationsQuery(org.id), enabled: useMayInspect() });
  const [inviting, setInviting] = useState(false);
  const waiting = invitations.data?.length ?? 0;
  const subtitle = members.data && `${plural(members.data.length, "member")}${waiting ? `, ${waiting} pending` : ""}`;
  return (
    <Page
      title="Users"
      subtitle={subtitle ?? "The people of this organisation"}
      actions={
        <>
          {members.data && (
            <Button onClick={() => download("users.csv", "text/csv", usersCsv(members.data))}>
              <Download /> CSV
            </Button>
          )}
          {isAdmin && (
            <Button tone="primary" onClick={() => setInviting(true)}>
              <UserPlus /> Invite User
            </Button>
          )}
        </>
      }
    >
      <QueryView query={members} skeleton={<SkeletonLines count={5} />}>
        {(rows) => (
          <div className="grid gap-5">
            {invitations.data && waiting > 0 && <InvitationsCard invitations={invitations.data} />}
            <MembersTable members={rows} />
          </div>
        )}
      </QueryView>
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Page>
  );
}

export function usersCsv(members: readonly Member[]): string {
  const active = members.filter(({ status }) => status === "active");
  return toCsv(
    ["Name", "Email", "Role", "Joined"],
    active.map(({ full_name, email, role, joined_at }) => [full_name ?? "", email ?? "", role, joined_at]),
  );
}
