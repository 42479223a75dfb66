import { useState } from "react";
import type { AccessGrant } from "@/api/answers";
import { Confirm } from "@/components/confirm";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { hoursText, useGrantStep } from "./queries";

interface Props {
  grant: AccessGrant;
  onClose: () => void;
}

/** Approves a request, for a shorter time if wanted. */
export function ApproveDialog({ grant, onClose }: Props) {
  const approve = useGrantStep("jit_approve");
  const [hours, setHours] = useState(String(grant.requested_duration_hours));
  const given = Number(hours);
  return (
    <Confirm
      title={`Approve the request of ${grant.requester_email ?? "a former member"}?`}
      action="Approve"
      danger={false}
      onClose={onClose}
      onConfirm={async () => {
        const shorter = given < grant.requested_duration_hours ? { duration_hours: given } : {};
        const { warnings } = await approve.mutateAsync({ grant_id: grant.id, ...shorter });
        if (warnings.length > 0) toast.failed(`Approved, but ${warnings.join(", ")}`);
        else toast.done("Access granted");
      }}
    >
      <p>A rule that allows it comes into force at once, and ends by itself.</p>
      <div className="mt-3 max-w-48 text-ink">
        <TextField label="Hours" type="number" required min={0.25} step={0.25} max={grant.requested_duration_hours} hint={`Asked for ${hoursText(grant.requested_duration_hours)}. You may give less.`} value={hours} onChange={(event) => setHours(event.target.value)} />
      </div>
    </Confirm>
  );
}

export function DenyDialog({ grant, onClose }: Props) {
  const deny = useGrantStep("jit_deny");
  const [reason, setReason] = useState("");
  return (
    <Confirm
      title={`Deny the request of ${grant.requester_email ?? "a former member"}?`}
      action="Deny"
      onClose={onClose}
      onConfirm={async () => {
        await deny.mutateAsync({ grant_id: grant.id, ...(reason.trim() && { denial_reason: reason.trim() }) });
        toast.done("Request denied");
      }}
    >
      <div className="text-ink">
        <TextField label="Reason" maxLength={500} hint="Who asked reads it." value={reason} onChange={(event) => setReason(event.target.value)} />
      </div>
    </Confirm>
  );
}

export function RevokeDialog({ grant, onClose }: Props) {
  const revoke = useGrantStep("jit_revoke");
  return (
    <Confirm
      title={`Revoke the access of ${grant.requester_email ?? "a former member"}?`}
      action="Revoke"
      onClose={onClose}
      onConfirm={async () => {
        await revoke.mutateAsync({ grant_id: grant.id });
        toast.done("Access revoked");
      }}
    >
      Its rule is disabled and open connections are cut within a second.
    </Confirm>
  );
}
