import { expect, it } from "vitest";
import { connectionsText, type ConnectionCount } from "./connections";
import type { PlannedFlow } from "./report";

const flow = (connections?: number): PlannedFlow => ({ source: { id: "a", name: "alpha" }, destination: { id: "b", name: "beta" }, protocol: "tcp", ports: "22", ...(connections !== undefined && { connections }) });
const text = (count: Partial<ConnectionCount> | undefined, cut: PlannedFlow[] = []) =>
  connectionsText({ live_connections: count && ({ state: "counted", connections: 0, machines_asked: 1, machines_answered: 1, complete: true, ...count }), live_connections_cut: cut });

it("tells how many connections are open, and where", () => {
  const told = text({ connections: 7 }, [flow(7)]);
  expect(told?.lead).toBe("7 open connections will be cut:");
  expect(told?.flows).toContain("alpha → beta");
  expect(told?.flows).toContain("7 open");
  expect(told?.limits).toBe("");
});

it("says what the number leaves out", () => {
  const told = text({ connections: 1, machines_asked: 3, complete: false }, [flow(1)]);
  expect(told?.lead).toBe("At least 1 open connection will be cut:");
  expect(told?.limits).toBe("2 machines did not answer. The network is too large to ask every machine.");
});

it("claims nothing of machines that kept silent", () => {
  expect(text({ machines_answered: 0 })?.lead).toBe("Open connections are not known.");
  expect(text({})?.lead).toBe("No open connection will be cut.");
  expect(text({ machines_asked: 0, machines_answered: 0 })).toBeNull();
});

it("waits for the answers, and knows control planes that do not ask", () => {
  expect(text({ state: "asking" }, [flow()])?.lead).toBe("Counting open connections …");
  expect(text(undefined, [flow()])?.lead).toBe("1 flow between machines that are online will be cut:");
  expect(text(undefined)).toBeNull();
});

it("lists five, and how many more", () => {
  expect(text({ connections: 7 }, Array.from({ length: 7 }, () => flow(1)))?.flows).toMatch(/ and 2 more$/);
});
