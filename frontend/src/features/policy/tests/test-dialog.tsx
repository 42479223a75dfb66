import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { addRow, changeRow } from "@/api/rows";
import type { Verdict } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import type { EndNames } from "@/components/end-chips";
import { EndField } from "@/components/end-field";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { endFault, withNames } from "@/lib/selectors";
import type { PolicyTest } from "./queries";

interface Props {
  test: PolicyTest | null;
  names: EndNames;
  onClose: () => void;
}

export function TestDialog({ test, names, onClose }: Props) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [draft, setDraft] = useState({
    name: test?.name ?? "",
    source: test ? withNames(test.source, names.machine) : "",
    destination: test ? withNames(test.destination, names.machine) : "",
    protocol: test?.protocol ?? "tcp",
    port: test?.port ? String(test.port) : "",
    expected: test?.expected ?? "allow",
  });
  const [tried, setTried] = useState(false);
  const change = (values: Partial<typeof draft>) => setDraft({ ...draft, ...values });
  const faults: Record<string, string | null> = { source: endFault(draft.source), destination: endFault(draft.destination) };
  const save = useMutation({
    mutationFn: async () => {
      const values = { ...draft, name: draft.name.trim(), source: draft.source.trim(), destination: draft.destination.trim(), port: draft.protocol === "icmp" ? 0 : Number(draft.port) };
      await (test ? changeRow("policy_tests", org.id, test.id, values) : addRow("policy_tests", org.id, values));
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: orgKey(org.id, "policy_tests") });
      toast.done(test ? "Test updated" : "Test added");
      onClose();
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const errorAt = (field: string) => (tried ? (faults[field] ?? (refused?.field === field ? refused.message : null)) : null);
  return (
    <Dialog title={test ? `Edit ${test.name}` : "Add test"} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (!Object.values(faults).some(Boolean)) save.mutate();
        }}
      >
        <TextField label="Name" required maxLength={100} placeholder="Contractors never reach the database" value={draft.name} onChange={(event) => change({ name: event.target.value })} error={errorAt("name")} />
        <EndField label="Source" value={draft.source} onChange={(source) => change({ source })} error={errorAt("source")} />
        <EndField label="Destination" value={draft.destination} onChange={(destination) => change({ destination })} error={errorAt("destination")} />
        <div className="grid grid-cols-2 gap-4 sm:grid-cols-3">
          <SelectField label="Protocol" value={draft.protocol} onChange={(event) => change({ protocol: event.target.value as PolicyTest["protocol"] })}>
            <option value="tcp">tcp</option>
            <option value="udp">udp</option>
            <option value="icmp">icmp</option>
          </SelectField>
          <TextField label="Port" type="number" min={1} max={65535} placeholder="all" disabled={draft.protocol === "icmp"} value={draft.protocol === "icmp" ? "" : draft.port} onChange={(event) => change({ port: event.target.value })} error={errorAt("port")} />
          <SelectField label="Must be" value={draft.expected} onChange={(event) => change({ expected: event.target.value as Verdict })}>
            <option value="allow">allowed</option>
            <option value="deny">denied</option>
          </SelectField>
        </div>
        <FormFailure text={save.error && !(refused?.field && errorAt(refused.field)) ? messageOf(save.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={save.isPending}>
            {test ? "Save" : "Add"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
