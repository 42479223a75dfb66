import { useQueryClient } from "@tanstack/react-query";
import { createColumnHelper } from "@tanstack/react-table";
import { EllipsisVertical, UserCog, UserMinus } from "lucide-react";
import { useMemo, useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import type { Member } from "@/api/members";
import { Avatar } from "@/components/avatar";
import { Confirm } from "@/components/confirm";
import { DataTable } from "@/components/data-table";
import { RoleBadge } from "@/components/role-badge";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { localDate, plural, utcTime } from "@/lib/time";
import { RoleDialog } from "./role-dialog";

type Asking = { what: "role" | "remove"; member: Member } | null;

const column = createColumnHelper<Member>();

export function MembersTable({ members }: { members: Member[] }) {
  const { user, org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const [asking, setAsking] = useState<Asking>(null);
  const columns = useMemo(() => {
    // Owners are changed by owners only, and nobody changes their own place.
    const mayChange = (member: Member) => isAdmin && member.user_id !== user.id && (member.role !== "owner" || org.role === "owner");
    return [
      column.accessor("full_name", {
        header: "Name",
        cell: ({ row: { original: member } }) => (
          <span className="flex min-w-0 items-center gap-3">
            <Avatar name={member.full_name} />
            <span className="min-w-0">
              <span className="flex items-center gap-1.5 font-medium">
                <span className="truncate">{nameOf(member)}</span>
                {member.user_id === user.id && <Badge outlined>You</Badge>}
              </span>
              <span className="block truncate text-[0.8rem] text-muted">{member.email ?? "–"}</span>
            </span>
          </span>
        ),
      }),
      column.accessor("role", {
        header: "Role",
        cell: ({ row: { original } }) => (
          <span className="flex gap-1">
            <RoleBadge role={original.role} />
            {original.status === "pending" && <Badge colour="yellow">Pending</Badge>}
          </span>
        ),
      }),
      column.accessor("joined_at", {
        header: "Joined",
        meta: { className: "hidden md:table-cell" },
        cell: ({ getValue }) => (
          <time dateTime={getValue()} title={utcTime(getValue())} className="text-muted">
            {localDate(getValue())}
          </time>
        ),
      }),
      column.display({
        id: "actions",
        header: () => <span className="sr-only">Actions</span>,
        meta: { className: "w-14 text-right" },
        cell: ({ row: { original: member } }) =>
          mayChange(member) && (
            <Menu
              trigger={
                <Button tone="ghost" size="icon" aria-label={`Actions for ${nameOf(member)}`}>
                  <EllipsisVertical />
                </Button>
              }
            >
              <MenuItem icon={<UserCog />} onSelect={() => setAsking({ what: "role", member })}>
                Change Role
              </MenuItem>
              <MenuItem icon={<UserMinus />} danger onSelect={() => setAsking({ what: "remove", member })}>
                Remove
              </MenuItem>
            </Menu>
          ),
      }),
    ];
  }, [isAdmin, user.id, org.role]);

  return (
    <>
      <DataTable label="Members" rows={members} columns={columns} />
      {asking?.what === "role" && <RoleDialog member={asking.member} onClose={() => setAsking(null)} />}
      {asking?.what === "remove" && <RemoveDialog member={asking.member} onClose={() => setAsking(null)} />}
    </>
  );
}

export function nameOf({ full_name }: Member): string {
  return full_name?.trim() ? full_name : "Unknown";
}

function RemoveDialog({ member, onClose }: { member: Member; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const name = member.full_name?.trim() ? member.full_name : (member.email ?? "this member");
  return (
    <Confirm
      title={`Remove ${name}?`}
      action="Remove"
      onClose={onClose}
      onConfirm={async () => {
        const values = { org_id: org.id, target_user_id: member.user_id };
        const { machines_quarantined } = await act("org-management", "remove_member", values);
        toast.done(machines_quarantined ? `${name} removed, ${plural(machines_quarantined, "machine")} quarantined` : `${name} removed`);
        await client.invalidateQueries({ queryKey: orgKey(org.id, "org_members") });
      }}
    >
      Their access ends within a second, and the machines they own are quarantined until an administrator gives them a new owner.
    </Confirm>
  );
}
