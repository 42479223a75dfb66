import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import type { Member } from "@/api/members";
import type { Role } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { SelectField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { roleHints, rolesToGive } from "../roles";

export function RoleDialog({ member, onClose }: { member: Member; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [role, setRole] = useState<Role>(member.role);
  const name = member.full_name?.trim() ? member.full_name : (member.email ?? "this member");
  return (
    <Confirm
      title={`Change the role of ${name}`}
      action="Change Role"
      danger={false}
      onClose={onClose}
      onConfirm={async () => {
        await act("org-management", "change_role", { org_id: org.id, target_user_id: member.user_id, new_role: role });
        toast.done(`${name} is now ${role}`);
        await client.invalidateQueries({ queryKey: orgKey(org.id, "org_members") });
      }}
    >
      <div className="text-ink">
        <SelectField label="Role" value={role} onChange={(event) => setRole(event.target.value as Role)} hint={roleHints[role]}>
          {rolesToGive(org.role).map((value) => (
            <option key={value} value={value}>
              {value}
            </option>
          ))}
        </SelectField>
      </div>
    </Confirm>
  );
}
