import type { Connectivity, Machine } from "@/api/tables";
import { Copyable } from "@/components/copy";
import { Badge } from "@/components/ui/badge";
import { Card, Fact, Facts } from "@/components/ui/card";

const flags: readonly [keyof Connectivity, string][] = [
  ["udp", "UDP"],
  ["ipv6", "IPv6"],
  ["upnp", "UPnP"],
  ["pmp", "NAT-PMP"],
  ["pcp", "PCP"],
  ["hairpinning", "Hairpinning"],
  ["mapping_varies", "Mapping varies"],
];

/** How the machine reaches the outside, as it last reported. */
export function ConnectionCard({ machine }: { machine: Machine }) {
  const { client_connectivity: connectivity, derp_latencies: latencies } = machine;
  const endpoints = machine.endpoints;
  const reported = endpoints.length > 0 || machine.derp_region !== null || Object.keys(connectivity).length > 0;
  return (
    <Card title="Connection Info">
      {!reported ? (
        <p className="text-muted">Not reported yet.</p>
      ) : (
        <Facts>
          <Fact name="Relay region">{machine.derp_region ?? "–"}</Fact>
          {Object.entries(latencies).map(([region, ms]) => (
            <Fact key={region} name={`Latency to ${region}`}>
              <span className="tabular-nums">{ms.toFixed(1)} ms</span>
            </Fact>
          ))}
          <Fact name="Endpoints">
            <span className="grid justify-items-end">
              {endpoints.length ? endpoints.map((endpoint) => <Copyable key={endpoint} text={endpoint} label="endpoint" />) : "–"}
            </span>
          </Fact>
          {flags.map(([key, label]) => {
            const value = connectivity[key];
            return typeof value === "boolean" ? (
              <Fact key={key} name={label}>
                {value ? <Badge colour="green">Yes</Badge> : <Badge>No</Badge>}
              </Fact>
            ) : null;
          })}
          {connectivity.firewall_mode && <Fact name="Firewall mode">{connectivity.firewall_mode}</Fact>}
        </Facts>
      )}
    </Card>
  );
}
