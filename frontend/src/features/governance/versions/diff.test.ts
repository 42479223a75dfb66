import { describe, expect, it } from "vitest";
import { described, valueText } from "./diff";

const row = { name: "web", ports: "443", enabled: true, source_os: null };

describe("a change of the policy", () => {
  it("shows only what differs in a row that was changed", () => {
    const told = described({ table: "acl_rules", id: "r", before: row, after: { ...row, name: "www", ports: "80,443" } });
    expect(told).toMatchObject({ kind: "updated", noun: "Rule", name: "www" });
    expect(told.fields).toEqual([
      { field: "name", before: "web", after: "www" },
      { field: "ports", before: "443", after: "80,443" },
    ]);
  });

  it("shows what a new row says and leaves out what it leaves open", () => {
    const told = described({ table: "acl_rules", id: "r", before: null, after: row });
    expect(told.kind).toBe("created");
    expect(told.fields.map(({ field }) => field)).toEqual(["ports", "enabled"]);
  });

  it("still names what is gone", () => {
    expect(described({ table: "segmentation_groups", id: "g", before: { name: "eng" }, after: null })).toMatchObject({ kind: "deleted", noun: "Group", name: "eng" });
  });

  it("tells of settings by what they are called", () => {
    const told = described({ table: "settings", id: "s", before: { default_deny: true }, after: { default_deny: false } });
    expect(told).toMatchObject({ kind: "updated", noun: "Settings", name: "of the organisation", fields: [{ field: "default_deny", before: true, after: false }] });
  });

  it.each([
    [null, "–"],
    [[], "–"],
    [true, "yes"],
    [["a", "b"], "a, b"],
    [{ a: 1 }, '{"a":1}'],
  ])("writes %j on one line", (value, text) => {
    expect(valueText(value)).toBe(text);
  });
});
