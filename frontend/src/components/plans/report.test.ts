import { describe, expect, it } from "vitest";
import { changeLines, postureLines, type ChangedRow, type PlanAnswer } from "./report";

const plan = (values: Partial<PlanAnswer>) => values as PlanAnswer;
const row = (values: Partial<ChangedRow>): ChangedRow => ({ table: "segmentation_groups", id: "g", name: "eng", change: "updated", columns: [], machines_added: 0, machines_removed: 0, ...values });
const texts = (values: Partial<PlanAnswer>) => changeLines(plan(values)).map(({ text }) => text);

describe("what a plan changes, line by line", () => {
  it.each([
    [row({ machines_added: 2, machines_removed: 1 }), "Group eng: 2 machines join, 1 machine leaves"],
    [row({ columns: ["name", "description"], machines_added: 1 }), "Group eng: name, description; 1 machine joins"],
    [row({ change: "deleted" }), "Group eng"],
    [row({ table: "posture_policies", name: "Firewall", columns: ["on_fail"] }), "Posture policy Firewall: on fail"],
    [row({ table: "acl_rules", name: null, id: "r" }), "Rule r"],
  ])("%#", (changed, text) => {
    expect(texts({ changed: [changed] })).toEqual([text]);
  });

  it("says which way a row is switched", () => {
    const rule = row({ table: "acl_rules", name: "ssh", id: "r", columns: ["enabled"] });
    const asked = (enabled: boolean) => ({ acl_rules: { update: [{ id: "r", enabled }] } });
    expect(texts({ changed: [rule], changes: asked(true) })).toEqual(["Rule ssh: enabled"]);
    expect(texts({ changed: [rule], changes: asked(false) })).toEqual(["Rule ssh: disabled"]);
    // It goes with its group.
    expect(texts({ changed: [rule], changes: { segmentation_groups: { delete: [{ id: "g", force: true }] } } })).toEqual(["Rule ssh: disabled"]);
  });

  it("tells settings too", () => {
    expect(texts({ changes: { settings: { posture_enforcement: "monitor", default_deny: false } } })).toEqual(["Setting posture enforcement: monitor", "Setting default deny: off"]);
  });

  it("has nothing to say of a plan from before it was told", () => {
    expect(texts({})).toEqual([]);
    expect(postureLines(plan({}))).toEqual([]);
  });

  it("keeps rows apart that change twice", () => {
    const lines = changeLines(plan({ changed: [row({}), row({})] }));
    expect(new Set(lines.map(({ id }) => id)).size).toBe(2);
  });
});

it("names the first machines of each fate, counts the rest and tells none twice", () => {
  const machines = ["a", "b", "c", "d", "e", "f", "g"].map((name) => ({ id: name, name }));
  const posture = { quarantined: { count: 800, machines }, released: { count: 0, machines: [] }, failing: { count: 2, machines: [{ id: "a", name: "a" }, { id: "z", name: "z" }] } };
  expect(postureLines(plan({ posture }))).toEqual([
    { kind: "quarantined", text: "800 machines quarantined: a, b, c, d, e and 795 more" },
    { kind: "failing", text: "1 machine found unhealthy: z" },
  ]);
});
