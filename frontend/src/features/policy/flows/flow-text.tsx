import { Link } from "@tanstack/react-router";
import type { Flow, FlowEnd } from "@/api/answers";
import type { EndNames } from "@/components/end-chips";
import { bytes } from "@/lib/bytes";
import { spelledOut } from "@/lib/selectors";
import { plural } from "@/lib/time";

/** `tcp/5432`, `icmp`; protocols without a name by their number. */
export function serviceText({ protocol, port }: Pick<Flow, "protocol" | "port">): string {
  if (/^\d+$/.test(protocol)) return `protocol ${protocol}`;
  return port === 0 ? protocol : `${protocol}/${port}`;
}

/** The service, with how often where it was more than once. */
export function Service({ flow }: { flow: Flow }) {
  return (
    <span className="font-mono text-[0.82rem] whitespace-nowrap">
      {serviceText(flow)}
      {flow.count > 1 && (
        <span className="text-muted" title={plural(flow.count, "connection")}>
          {" "}
          ×{flow.count.toLocaleString()}
        </span>
      )}
    </span>
  );
}

export function Traffic({ flow }: { flow: Flow }) {
  return (
    <span className="block whitespace-nowrap tabular-nums">
      {bytes(flow.bytes)}
      <span className="block text-[0.78rem] text-muted">{plural(flow.packets, "packet")}</span>
    </span>
  );
}

export function endText({ id, name, address }: FlowEnd): string {
  return name ?? id?.slice(0, 8) ?? address;
}

/** An end by its machine's name over its address, or the address alone. */
export function End({ end }: { end: FlowEnd }) {
  const address = (
    <span className="block truncate font-mono text-[0.77rem] text-muted" title={end.address}>
      {end.address}
    </span>
  );
  if (end.id === null) return address;
  return (
    <span className="block min-w-0">
      <Link to="/machines/$machineId" params={{ machineId: end.id }} className="block truncate rounded font-medium hover:text-accent hover:underline">
        {endText(end)}
      </Link>
      {address}
    </span>
  );
}

/** What decided: a link to the rule, or in words that none did. */
export function RuleText({ flow: { rule, verdict }, names }: { flow: Flow; names: EndNames }) {
  if (rule === null) return <span className="text-muted">{verdict === "deny" ? "default deny" : "no rule"}</span>;
  if (rule.name === null) return <span className="text-muted">deleted rule {rule.id.slice(0, 8)}</span>;
  return (
    <Link to="/acls" search={{ q: rule.name }} className="rounded break-words text-accent hover:underline">
      {spelledOut(rule.name, names.machine)}
    </Link>
  );
}
