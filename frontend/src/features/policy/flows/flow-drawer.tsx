import { Filter } from "lucide-react";
import type { Flow } from "@/api/answers";
import { Copyable } from "@/components/copy";
import type { EndNames } from "@/components/end-chips";
import { Timestamp } from "@/components/timestamp";
import { Button } from "@/components/ui/button";
import { Fact, Facts } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { bytes } from "@/lib/bytes";
import { utcTime } from "@/lib/time";
import { ActionBadge } from "../rules/action-badge";
import type { FlowSearch } from "./flow-search";
import { End, RuleText, serviceText } from "./flow-text";

interface Props {
  flow: Flow;
  names: EndNames;
  onNarrow: (change: FlowSearch) => void;
  onClose: () => void;
}

/** Everything an entry tells, and ways to the entries that are like it. */
export function FlowDrawer({ flow, names, onNarrow, onClose }: Props) {
  const { source, destination, rule } = flow;
  const service = /^\d+$/.test(flow.protocol) ? undefined : serviceText(flow);
  const similar: [string, FlowSearch][] = [
    ["this source", { source: source.id ?? source.address }],
    ["this destination", { destination: destination.id ?? destination.address }],
    ...(service ? [[service, { service }] satisfies [string, FlowSearch]] : []),
    ...(rule ? [["this rule", { rule: rule.id }] satisfies [string, FlowSearch]] : []),
  ];
  return (
    <Dialog as="drawer" title="Flow" description={<ActionBadge action={flow.verdict} />} onClose={onClose}>
      <Facts>
        <Fact name="Time">
          <span className="grid">
            <Timestamp at={flow.at} />
            <span className="text-[0.8rem] text-muted">{utcTime(flow.at)}</span>
          </span>
        </Fact>
        <Fact name="Source">
          <End end={source} />
        </Fact>
        <Fact name="Destination">
          <End end={destination} />
        </Fact>
        <Fact name="Service">
          <span className="font-mono text-[0.82rem]">{serviceText(flow)}</span>
        </Fact>
        <Fact name="Decided by">
          <RuleText flow={flow} names={names} />
        </Fact>
        <Fact name="Connections">{flow.count.toLocaleString()}</Fact>
        <Fact name="Packets">{flow.packets.toLocaleString()}</Fact>
        <Fact name="Bytes">
          {bytes(flow.bytes)} <span className="text-[0.8rem] text-muted">({flow.bytes.toLocaleString()})</span>
        </Fact>
        <Fact name="Recorded by">{flow.machine.name}</Fact>
        <Fact name="Entry id">
          <Copyable text={flow.id} label="entry id" />
        </Fact>
      </Facts>
      <h3 className="mt-5 mb-2 font-medium">Show only</h3>
      <div className="flex flex-wrap gap-2">
        {similar.map(([label, change]) => (
          <Button
            key={label}
            size="sm"
            onClick={() => {
              onNarrow(change);
              onClose();
            }}
          >
            <Filter /> {label}
          </Button>
        ))}
      </div>
    </Dialog>
  );
}
