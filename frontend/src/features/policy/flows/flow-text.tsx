import { Link } from "@tanstack/react-router";
import type { EndNames } from "@/components/end-chips";
import { bytes } from "@/lib/bytes";
import { spelledOut } from "@/lib/selectors";
import { plural } from "@/lib/time";
import type { Flow, FlowEnd } from "./queries";

/** `tcp/5432`, `icmp`; protocols without a name by their number. */
export function serviceText({ protocol, port }: Pick<Flow, "protocol" | "port">): string {
  if (/^\d+$/.test(protocol)) return `protocol ${protocol}`;
  return port === 0 ? protocol : `${protocol}/${port}`;
}

/** "12 packets, 3 connections"; one connection is not worth saying. */
export function countsText({ packets, count }: Pick<Flow, "packets" | "count">): string {
  return [plural(packets, "packet"), ...(count > 1 ? [plural(count, "connection")] : [])].join(", ");
}

export function Traffic({ flow }: { flow: Flow }) {
  return (
    <span className="block whitespace-nowrap tabular-nums">
      {bytes(flow.bytes)}
      <span className="block text-[0.78rem] text-muted">{countsText(flow)}</span>
    </span>
  );
}

/** An end by its machine's name over its address, or the address alone. */
export function End({ end }: { end: FlowEnd }) {
  const address = <span className="block truncate font-mono text-[0.77rem] text-muted">{end.address}</span>;
  if (end.id === null) return address;
  return (
    <span className="block min-w-0">
      <Link to="/machines/$machineId" params={{ machineId: end.id }} className="block max-w-56 truncate rounded font-medium hover:text-accent hover:underline">
        {end.name ?? end.id.slice(0, 8)}
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
