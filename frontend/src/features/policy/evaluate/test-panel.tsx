import { useQuery } from "@tanstack/react-query";
import { ArrowRight } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { namedMachinesQuery, type NamedMachine } from "@/api/named";
import { messageOf } from "@/api/error";
import { FormFailure } from "@/components/confirm";
import { Card } from "@/components/ui/card";
import { SelectField, TextField } from "@/components/ui/field";
import { Skeleton } from "@/components/ui/skeleton";
import { useDebounced } from "@/lib/debounced";
import { evaluationQuery, questionOf, type Question } from "./queries";
import { VerdictView } from "./verdict-view";

/** Who reaches whom, asked of the policy in force and answered as one types. */
export function TestPanel() {
  const { org } = useCurrentOrg();
  const { data: machines } = useQuery(namedMachinesQuery(org.id));
  const [asked, setAsked] = useState({ from: "", to: "", protocol: "tcp" as Question["protocol"], port: "", at: "" });
  const change = (values: Partial<typeof asked>) => setAsked({ ...asked, ...values });
  const question = questionOf(useDebounced(asked, 200));
  const answer = useQuery({ ...evaluationQuery(org.id, question), placeholderData: (before) => before });
  return (
    <Card title="Test access" subtitle="Asked of the policy in force." className="mb-5">
      <div className="grid grid-cols-2 items-start gap-3 md:grid-cols-[minmax(0,1fr)_auto_minmax(0,1fr)_6rem_7rem_12rem]">
        <MachineSelect label="From" machines={machines} value={asked.from} onChange={(from) => change({ from })} />
        <ArrowRight className="mt-8.5 hidden size-4 text-muted md:block" aria-hidden />
        <MachineSelect label="To" machines={machines} value={asked.to} onChange={(to) => change({ to })} />
        <SelectField label="Protocol" value={asked.protocol} onChange={(event) => change({ protocol: event.target.value as Question["protocol"] })}>
          <option value="tcp">tcp</option>
          <option value="udp">udp</option>
          <option value="icmp">icmp</option>
          <option value="*">all</option>
        </SelectField>
        <TextField label="Port" type="number" min={0} max={65535} placeholder="all" disabled={asked.protocol === "icmp"} value={asked.protocol === "icmp" ? "" : asked.port} onChange={(event) => change({ port: event.target.value })} />
        <div className="col-span-2 md:col-span-1">
          <TextField label="At" type="datetime-local" value={asked.at} onChange={(event) => change({ at: event.target.value })} />
        </div>
      </div>
      <div aria-live="polite" className="mt-3">
        {answer.data && question ? (
          <VerdictView evaluation={answer.data} asked={question} />
        ) : answer.isFetching ? (
          <Skeleton className="h-12" />
        ) : (
          <p className="text-[0.85rem] text-muted">{machines && machines.length < 2 ? "It takes two machines to test access between them." : "Choose two machines. Leave the port empty to see all of them."}</p>
        )}
        <FormFailure text={answer.error ? messageOf(answer.error) : null} />
      </div>
    </Card>
  );
}

interface SelectProps {
  label: string;
  machines: NamedMachine[] | undefined;
  value: string;
  onChange: (id: string) => void;
}

function MachineSelect({ label, machines = [], value, onChange }: SelectProps) {
  return (
    <SelectField label={label} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">Choose a machine</option>
      {machines.map(({ id, name, tailnet_ip }) => (
        <option key={id} value={id}>
          {name} ({tailnet_ip})
        </option>
      ))}
    </SelectField>
  );
}
