import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import type { Protocol } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { EndField } from "@/components/end-field";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { endFault, portsFault } from "@/lib/selectors";
import { hoursText, useGrantStep } from "./queries";

/** Asks for access; the caller's own machines are offered as its source. */
export function RequestDialog({ onClose }: { onClose: () => void }) {
  const { user } = useCurrentOrg();
  const [draft, setDraft] = useState({ source: `user:${user.email}`, destination: "", protocol: "tcp" as Protocol, ports: "*", hours: "1", reason: "" });
  const [tried, setTried] = useState(false);
  const request = useGrantStep("jit_request");
  const change = (values: Partial<typeof draft>) => setDraft({ ...draft, ...values });
  const faults: Record<string, string | null> = {
    source_selector: endFault(draft.source),
    destination_selector: endFault(draft.destination),
    ports: draft.protocol === "icmp" ? null : portsFault(draft.ports),
  };
  const refused = request.error instanceof ApiError ? request.error : null;
  const errorAt = (field: string, alias?: string) => (tried ? (faults[field] ?? (refused && [field, alias].includes(refused.field ?? undefined) ? refused.message : null)) : null);
  const shown = ["source_selector", "destination_selector", "ports"].some((field) => errorAt(field, field.replace("_selector", "")));
  function send() {
    setTried(true);
    if (Object.values(faults).some(Boolean)) return;
    const values = {
      source_selector: draft.source.trim(),
      destination_selector: draft.destination.trim(),
      protocol: draft.protocol,
      ports: draft.protocol === "icmp" ? "*" : draft.ports.replaceAll(/\s/g, ""),
      duration_hours: Number(draft.hours),
      reason: draft.reason.trim(),
    };
    request.mutate(values, {
      onSuccess: ({ duration_hours, approvers_notified }) => {
        toast.done(`Requested for ${hoursText(duration_hours)}${approvers_notified.length > 0 ? `; told ${approvers_notified.length} who may approve` : ""}`);
        onClose();
      },
    });
  }
  return (
    <Dialog title="Request access" description="For as long as you need it, 24 hours at most." onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <EndField label="From" hint="Your machines, unless you say otherwise." value={draft.source} onChange={(source) => change({ source })} error={errorAt("source_selector", "source")} />
        <EndField label="To" value={draft.destination} onChange={(destination) => change({ destination })} error={errorAt("destination_selector", "destination")} />
        <div className="grid gap-4 sm:grid-cols-[7rem_minmax(0,1fr)_6rem]">
          <SelectField label="Protocol" value={draft.protocol} onChange={(event) => change({ protocol: event.target.value as Protocol })}>
            <option value="tcp">tcp</option>
            <option value="udp">udp</option>
            <option value="icmp">icmp</option>
            <option value="*">Any</option>
          </SelectField>
          <TextField label="Ports" className="font-mono text-[0.85rem]" disabled={draft.protocol === "icmp"} value={draft.ports} onChange={(event) => change({ ports: event.target.value })} error={errorAt("ports")} />
          <TextField label="Hours" type="number" required min={1} max={24} value={draft.hours} onChange={(event) => change({ hours: event.target.value })} />
        </div>
        <TextField label="Reason" maxLength={500} placeholder="Incident 4711: restart the database" hint="Whoever approves reads it, and so does the audit log." value={draft.reason} onChange={(event) => change({ reason: event.target.value })} />
        <FormFailure text={request.error && !shown ? messageOf(request.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={request.isPending}>
            Request
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
