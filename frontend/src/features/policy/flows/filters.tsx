import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useMemo } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { namedMachinesQuery, type NamedMachine } from "@/api/named";
import type { Verdict } from "@/api/tables";
import { useEndNames } from "@/components/end-chips";
import { Button } from "@/components/ui/button";
import { isMachineId, kindOf, spelledOut } from "@/lib/selectors";
import { localInput } from "@/lib/time";
import { rulesQuery } from "../rules/queries";
import { FilterBox, type Reading } from "./filter-box";
import { customFrom, DEFAULT_PERIOD, isNarrowed, noFilters, periods, serviceFields, type FlowSearch } from "./flow-search";

interface Props {
  search: FlowSearch;
  onSearch: (change: FlowSearch) => void;
}

export function FlowFilters({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  const { data: machines } = useQuery(namedMachinesQuery(org.id));
  const machineNames = useMemo(() => machines?.map(({ name }) => name), [machines]);
  const nameOf = (end = "") => machines?.find(({ id }) => id === end)?.name ?? end;
  return (
    <div className="mb-4 flex flex-wrap items-start gap-2" role="group" aria-label="Filters">
      <PeriodChoice search={search} onSearch={onSearch} />
      <select aria-label="Verdict" className="field w-auto flex-1 sm:flex-none" value={search.verdict ?? ""} onChange={(event) => onSearch({ verdict: (event.target.value || undefined) as Verdict | undefined })}>
        <option value="">Verdict: all</option>
        <option value="allow">Allowed</option>
        <option value="deny">Denied</option>
      </select>
      <RuleChoice rule={search.rule} onSearch={onSearch} />
      {(["source", "destination"] as const).map((end) => (
        <FilterBox
          key={end}
          label={end === "source" ? "Source" : "Destination"}
          shown={nameOf(search[end])}
          suggestions={machineNames}
          read={(text) => readEnd(text, machines)}
          onChange={(value) => onSearch({ [end]: value })}
        />
      ))}
      <FilterBox label="Service" shown={search.service ?? ""} read={readService} onChange={(service) => onSearch({ service })} />
      {isNarrowed(search) && (
        <Button tone="ghost" onClick={() => onSearch(noFilters)}>
          <X /> Clear
        </Button>
      )}
    </div>
  );
}

/** A machine's name becomes its id, which stays when the name changes; addresses are taken as they are. */
export function readEnd(text: string, machines: readonly Pick<NamedMachine, "id" | "name">[] | undefined): Reading {
  if (text === "") return { value: undefined };
  const machine = machines?.find(({ name }) => name.toLowerCase() === text.toLowerCase());
  if (machine) return { value: machine.id };
  const address = kindOf(text) === "address" && !text.includes("/");
  return address || isMachineId(text) ? { value: text } : { fault: "No machine of this name. A name or an address, in full." };
}

export function readService(text: string): Reading {
  if (text === "") return { value: undefined };
  return serviceFields(text) ? { value: text.toLowerCase() } : { fault: "A port or a service: 443, tcp/443, udp, icmp." };
}

function PeriodChoice({ search, onSearch }: Props) {
  const choose = (value: string) => {
    if (value === "custom") onSearch(customFrom(search, Date.now()));
    else onSearch({ period: (value || undefined) as FlowSearch["period"], from: undefined, to: undefined });
  };
  return (
    <>
      <select aria-label="Period" className="field w-auto flex-1 sm:flex-none" value={search.period ?? ""} onChange={(event) => choose(event.target.value)}>
        <option value="1h">{periods["1h"]}</option>
        <option value="">{DEFAULT_PERIOD}</option>
        <option value="7d">{periods["7d"]}</option>
        <option value="30d">{periods["30d"]}</option>
        <option value="custom">From and to</option>
      </select>
      {search.period === "custom" && (
        <>
          <MomentInput label="From" at={search.from} onChange={(from) => onSearch({ from })} />
          <MomentInput label="To" at={search.to} onChange={(to) => onSearch({ to })} />
        </>
      )}
    </>
  );
}

function MomentInput({ label, at, onChange }: { label: string; at: string | undefined; onChange: (at: string | undefined) => void }) {
  return (
    <label className="flex items-center gap-1.5 text-[0.83rem] text-muted">
      {label}
      <input
        type="datetime-local"
        className="field w-auto"
        value={localInput(at ?? null)}
        // A moment that is being typed is empty until it is whole.
        onChange={({ target }) => onChange(target.value ? new Date(target.value).toISOString() : undefined)}
      />
    </label>
  );
}

function RuleChoice({ rule, onSearch }: { rule: string | undefined; onSearch: (change: FlowSearch) => void }) {
  const { org } = useCurrentOrg();
  const { data: rules = [] } = useQuery(rulesQuery(org.id));
  const names = useEndNames();
  const gone = rule !== undefined && !rules.some(({ id }) => id === rule);
  return (
    <select aria-label="Rule" className="field w-auto flex-1 sm:max-w-40 sm:flex-none" value={rule ?? ""} onChange={(event) => onSearch({ rule: event.target.value || undefined })}>
      <option value="">Rule: all</option>
      {gone && <option value={rule}>Deleted rule {rule.slice(0, 8)}</option>}
      {rules.map(({ id, name }) => (
        <option key={id} value={id}>
          {spelledOut(name, names.machine)}
        </option>
      ))}
    </select>
  );
}
