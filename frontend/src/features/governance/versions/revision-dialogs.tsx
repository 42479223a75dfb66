import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import type { Revision } from "@/api/answers";
import { call } from "@/api/client";
import { useCurrentOrg } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import { Confirm } from "@/components/confirm";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";

export function LabelDialog({ present, onClose }: { present: Revision; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [label, setLabel] = useState(present.label ?? "");
  return (
    <Confirm
      title={`Name version ${present.revision}`}
      action="Save"
      danger={false}
      onClose={onClose}
      onConfirm={async () => {
        await act("governance", "policy_version_create", { org_id: org.id, change_summary: label.trim() });
        await client.invalidateQueries({ queryKey: orgKey(org.id, "revisions") });
        toast.done("Version named");
      }}
    >
      <div className="text-ink">
        <TextField label="Name" required maxLength={300} placeholder="Before the audit" value={label} onChange={(event) => setLabel(event.target.value)} />
      </div>
    </Confirm>
  );
}

const LISTED = 8;

/** Puts the whole policy back to a version; what came after it stays in the history. */
export function RollbackDialog({ target, undone, onClose }: { target: Revision; undone: readonly Revision[]; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return (
    <Confirm
      title={`Go back to version ${target.revision}?`}
      action="Go back"
      onClose={onClose}
      onConfirm={async () => {
        await call("/api/governance", { method: "POST", body: { action: "policy_version_rollback", org_id: org.id, target_version: target.revision } });
        toast.done(`The policy is as it was in version ${target.revision}`);
        await client.invalidateQueries({ queryKey: ["org", org.id] });
      }}
    >
      <p>
        All rules, groups and policies become what they were{target.label ? ` at “${target.label}”` : ""}. This is a new version too: you can come back. {plural(undone.length, "change")}{" "}
        {undone.length === 1 ? "is" : "are"} undone:
      </p>
      <ul className="mt-2 list-disc pl-5 text-ink">
        {undone.slice(0, LISTED).map(({ revision, summary }) => (
          <li key={revision}>{summary}</li>
        ))}
        {undone.length > LISTED && <li className="text-muted">and {undone.length - LISTED} more</li>}
      </ul>
    </Confirm>
  );
}
