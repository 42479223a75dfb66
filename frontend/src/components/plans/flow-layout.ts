import { serviceOf } from "@/lib/selectors";

/** One pair's change: what a plan gains or loses, and through which service. */
export interface FlowChange {
  source: { id: string; name: string };
  destination: { id: string; name: string };
  protocol: string;
  /** Ports as people write them; empty or `*` for all. */
  ports: string;
  change: "gained" | "lost";
}

/** Machines that fare alike: drawn as one. */
export interface Side {
  key: string;
  names: string[];
}

/** One change that holds for every pair of its sources and destinations. */
export interface Bundle {
  key: string;
  change: FlowChange["change"];
  service: string;
  pairs: number;
  sources: number[];
  destinations: number[];
}

export interface FlowGraph {
  sources: Side[];
  destinations: Side[];
  bundles: Bundle[];
}

/**
 * Gathers changes of pairs into few shapes. Machines with equal changes become one node; and a bundle stands between
 * nodes that it joins completely, so that a picture of it says neither more nor less than the list.
 */
export function graphOf(flows: readonly FlowChange[]): FlowGraph {
  const names = new Map(flows.flatMap(({ source, destination }) => [source, destination]).map(({ id, name }) => [id, name]));
  const labelled = new Map<string, Map<string, Set<string>>>();
  for (const flow of flows) {
    const reached = getOr(labelled, `${flow.change} ${serviceOf(flow)}`, () => new Map<string, Set<string>>());
    getOr(reached, flow.source.id, () => new Set<string>()).add(flow.destination.id);
  }
  const sources = classes(flows, labelled, "source");
  const destinations = classes(flows, labelled, "destination");
  const bundles: Bundle[] = [];
  for (const [label, reached] of labelled) {
    const [change, ...service] = label.split(" ");
    const byClass = new Map<number, { to: Set<number>; pairs: number }>();
    for (const [source, targets] of reached) {
      const found = getOr(byClass, sources.indexOf(source), () => ({ to: new Set<number>(), pairs: 0 }));
      for (const target of targets) found.to.add(destinations.indexOf(target));
      found.pairs += targets.size;
    }
    const byTargets = new Map<string, { from: Set<number>; to: Set<number>; pairs: number }>();
    for (const [at, { to, pairs }] of byClass) {
      const key = [...to].sort((a, b) => a - b).join();
      const bundle = getOr(byTargets, key, () => ({ from: new Set<number>(), to, pairs: 0 }));
      bundle.from.add(at);
      bundle.pairs += pairs;
    }
    for (const [key, { from, to, pairs }] of byTargets) {
      bundles.push({ key: `${label} ${key}`, change: change as FlowChange["change"], service: service.join(" "), pairs, sources: [...from], destinations: [...to] });
    }
  }
  bundles.sort((a, b) => a.change.localeCompare(b.change) || b.pairs - a.pairs || a.key.localeCompare(b.key));
  return { sources: sources.sides(names), destinations: destinations.sides(names), bundles };
}

type Labelled = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

/** Divides the machines of one end by what happens to them. A machine counts as its own peer: a mesh is one class. */
function classes(flows: readonly FlowChange[], labelled: Labelled, end: "source" | "destination") {
  const signatures = new Map<string, string>();
  for (const id of new Set(flows.map((flow) => flow[end].id))) {
    const parts = [...labelled].map(([label, reached]) => {
      const peers = end === "source" ? [...(reached.get(id) ?? [])] : [...reached].filter(([, targets]) => targets.has(id)).map(([source]) => source);
      return peers.length === 0 ? "" : `${label}:${[...new Set([...peers, id])].sort().join()}`;
    });
    signatures.set(id, parts.join("|"));
  }
  const order = [...new Set(signatures.values())];
  return {
    indexOf: (id: string) => order.indexOf(signatures.get(id) ?? ""),
    sides: (names: ReadonlyMap<string, string>): Side[] =>
      order.map((key) => ({ key, names: [...signatures].filter(([, signature]) => signature === key).map(([id]) => names.get(id) ?? id).sort() })),
  };
}

function getOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/** "web-1", "web-1, web-2" or "web-1, web-2 + 4". */
export function sideLabel({ names }: Side): string {
  return names.length <= 3 ? names.join(", ") : `${names.slice(0, 2).join(", ")} + ${names.length - 2}`;
}

/** At most `most` bundles with the nodes they touch; and how many were left out. */
export function trimmed(graph: FlowGraph, most: number): FlowGraph & { hidden: number } {
  const bundles = graph.bundles.slice(0, most);
  const kept = (side: Side[], touched: number[]) => {
    const used = [...new Set(touched)].sort((a, b) => a - b);
    return { nodes: used.flatMap((index) => side[index] ?? []), at: (index: number) => used.indexOf(index) };
  };
  const sources = kept(graph.sources, bundles.flatMap((bundle) => bundle.sources));
  const destinations = kept(graph.destinations, bundles.flatMap((bundle) => bundle.destinations));
  return {
    sources: sources.nodes,
    destinations: destinations.nodes,
    bundles: bundles.map((bundle) => ({ ...bundle, sources: bundle.sources.map(sources.at), destinations: bundle.destinations.map(destinations.at) })),
    hidden: graph.bundles.length - bundles.length,
  };
}
