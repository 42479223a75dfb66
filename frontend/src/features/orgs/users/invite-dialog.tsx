import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { Role } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { SecretOnce } from "@/components/copy";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { roleHints, rolesToGive } from "../roles";

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("member");
  const invite = useMutation({
    mutationFn: () => act("org-management", "invite_member", { org_id: org.id, email: email.trim(), role }),
    onSuccess: async ({ link, email_sent }) => {
      toast.done("Invitation sent");
      if (email_sent || !link) onClose();
      await client.invalidateQueries({ queryKey: orgKey(org.id, "org_invitations") });
    },
  });
  if (invite.data?.link) {
    return (
      <Dialog title="Invitation ready" description={`This server sends no mail. Hand the link to ${email} yourself; it is valid for 7 days.`} onClose={onClose} dismissable={false}>
        <SecretOnce secret={invite.data.link} label="invitation link" />
        <DialogActions>
          <Button tone="primary" onClick={onClose}>
            Done
          </Button>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog title="Invite User" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate();
        }}
      >
        <TextField label="E-mail" type="email" required autoComplete="off" value={email} onChange={(event) => setEmail(event.target.value)} />
        <SelectField label="Role" value={role} onChange={(event) => setRole(event.target.value as Role)} hint={roleHints[role]}>
          {rolesToGive(org.role).map((value) => (
            <option key={value} value={value}>
              {value}
            </option>
          ))}
        </SelectField>
        <FormFailure text={invite.error ? messageOf(invite.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={invite.isPending}>
            Send invitation
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
