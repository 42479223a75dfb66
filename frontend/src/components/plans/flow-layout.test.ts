import { describe, expect, it } from "vitest";
import { graphOf, sideLabel, trimmed, type FlowChange } from "./flow-layout";

const machine = (name: string) => ({ id: `id-${name}`, name });
const flow = (source: string, destination: string, change: FlowChange["change"] = "gained", ports = "443"): FlowChange => ({
  source: machine(source),
  destination: machine(destination),
  protocol: "tcp",
  ports,
  change,
});
const pairsOf = (graph: ReturnType<typeof graphOf>) =>
  graph.bundles.flatMap((bundle) =>
    bundle.sources.flatMap((s) =>
      bundle.destinations.flatMap((d) =>
        (graph.sources[s]?.names ?? []).flatMap((from) => (graph.destinations[d]?.names ?? []).filter((to) => to !== from).map((to) => `${bundle.change} ${from}>${to} ${bundle.service}`)),
      ),
    ),
  );

describe("the picture of a change", () => {
  it("draws a mesh as one line", () => {
    const all = ["a", "b", "c", "d"];
    const mesh = all.flatMap((from) => all.filter((to) => to !== from).map((to) => flow(from, to, "lost")));
    const graph = graphOf(mesh);
    expect(graph.bundles).toHaveLength(1);
    expect(graph.bundles[0]?.pairs).toBe(12);
    expect(graph.sources).toHaveLength(1);
  });

  it("says neither more nor less than the list of pairs, whatever the pairs are", () => {
    // A fixed generator: the same hundred cases at every run.
    let seed = 7;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    for (let round = 0; round < 100; round++) {
      const flows = new Map<string, FlowChange>();
      for (let i = random(14) + 1; i > 0; i--) {
        const [from, to] = [random(5), random(5)];
        const ports = random(2) ? "22" : "443";
        if (from !== to) flows.set(`${from}>${to}:${ports}`, flow(`m${from}`, `m${to}`, random(2) ? "gained" : "lost", ports));
      }
      const told = [...flows.values()].map(({ change, source, destination, ports }) => `${change} ${source.name}>${destination.name} tcp ${ports}`);
      expect(pairsOf(graphOf([...flows.values()])).sort()).toEqual(told.sort());
    }
  });

  it("keeps what is gained apart from what is lost", () => {
    const graph = graphOf([flow("a", "b", "gained", "22"), flow("a", "b", "lost", "443")]);
    expect(graph.bundles.map(({ change, service }) => `${change} ${service}`)).toEqual(["gained tcp 22", "lost tcp 443"]);
  });

  it("leaves out whole bundles and counts them", () => {
    const graph = trimmed(graphOf([flow("a", "x", "gained", "1"), flow("b", "y", "gained", "2"), flow("c", "z", "gained", "3")]), 2);
    expect(graph.hidden).toBe(1);
    expect(graph.sources).toHaveLength(2);
    expect(graph.bundles.flatMap(({ sources, destinations }) => [...sources, ...destinations]).every((at) => at === 0 || at === 1)).toBe(true);
  });

  it("names a few and counts the rest", () => {
    expect(sideLabel({ key: "", names: ["a", "b"] })).toBe("a, b");
    expect(sideLabel({ key: "", names: ["a", "b", "c", "d", "e"] })).toBe("a, b + 3");
  });
});
