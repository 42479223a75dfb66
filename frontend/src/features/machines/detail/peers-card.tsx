import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldCheck, ShieldQuestion } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import type { PeerPath } from "@/api/answers";
import type { Machine } from "@/api/tables";
import { QueryView } from "@/components/states";
import { Badge, type Colour } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { SkeletonLines } from "@/components/ui/skeleton";
import { bytes } from "@/lib/bytes";
import { peersQuery } from "../queries";

const paths: Record<PeerPath["path"], { colour: Colour; text: string }> = {
  direct: { colour: "green", text: "Direct" },
  relay: { colour: "blue", text: "Relayed" },
  none: { colour: "grey", text: "No path" },
};
const pqStates: Record<PeerPath["pqc"], { colour: Colour; text: string; title: string }> = {
  verified: { colour: "violet", text: "Hybrid", title: "X25519 and ML-KEM-768: safe against quantum computers" },
  pending: { colour: "yellow", text: "Agreeing", title: "The hybrid key is being agreed on" },
  classical: { colour: "orange", text: "Classical", title: "WireGuard's own key exchange only" },
};

/** Every pair this machine is one half of: which way its packets go, and what protects the keys. */
export function PeersCard({ machine }: { machine: Machine }) {
  const { org } = useCurrentOrg();
  const query = useQuery(peersQuery(org.id, machine.id));
  return (
    <Card title="Peers" subtitle="As the machine last reported.">
      <QueryView query={query} skeleton={<SkeletonLines count={3} />}>
        {({ peers }) => (peers.length ? <PeerTable peers={peers} /> : <p className="text-muted">No peer reported yet.</p>)}
      </QueryView>
    </Card>
  );
}

function PeerTable({ peers }: { peers: PeerPath[] }) {
  return (
    <div className="-mx-4 overflow-x-auto sm:-mx-5">
      <table className="w-full text-left">
        <thead>
          <tr className="text-[0.8rem] text-muted [&>th]:px-4 [&>th]:pb-2 [&>th]:font-medium [&>th]:whitespace-nowrap sm:[&>th]:px-5">
            <th scope="col">Peer</th>
            <th scope="col">Path</th>
            <th scope="col">Keys</th>
            <th scope="col" className="text-right">
              Latency
            </th>
            <th scope="col" className="hidden md:table-cell">
              Endpoint
            </th>
            <th scope="col" className="hidden text-right lg:table-cell">
              Received, sent
            </th>
          </tr>
        </thead>
        <tbody>
          {peers.map((peer) => (
            <PeerRow key={peer.machine_id} peer={peer} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PeerRow({ peer }: { peer: PeerPath }) {
  const path = paths[peer.path];
  const pq = pqStates[peer.pqc];
  return (
    <tr className="[&>td]:border-t [&>td]:border-line [&>td]:px-4 [&>td]:py-2.5 sm:[&>td]:px-5">
      <td>
        <Link to="/machines/$machineId" params={{ machineId: peer.machine_id }} className="rounded font-medium hover:text-accent hover:underline">
          {peer.name}
        </Link>
      </td>
      <td>
        <Badge colour={path.colour}>{path.text}</Badge>
      </td>
      <td>
        <Badge colour={pq.colour} title={pq.title}>
          {peer.pqc === "verified" ? <ShieldCheck /> : <ShieldQuestion />}
          {pq.text}
        </Badge>
      </td>
      <td className="text-right whitespace-nowrap tabular-nums">{peer.rtt_ms === null ? "–" : `${peer.rtt_ms.toFixed(1)} ms`}</td>
      <td className="hidden font-mono text-[0.8rem] md:table-cell">{peer.endpoint ?? "–"}</td>
      <td className="hidden text-right whitespace-nowrap tabular-nums lg:table-cell">
        {bytes(peer.rx_bytes ?? 0)}, {bytes(peer.tx_bytes ?? 0)}
      </td>
    </tr>
  );
}
