import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { narrowedBy, orgKey } from "@/api/keys";
import { applyEvent, concerns, patchCache, staleTopics, type LiveEvent } from "./events";

const rows = [
  { id: "a", status: "online" },
  { id: "b", status: "online" },
];
const update = { event: "UPDATE", payload: { id: "b", status: "offline" } };
const patched = [
  { id: "a", status: "online" },
  { id: "b", status: "offline" },
];

describe("applyEvent()", () => {
  it.each([
    ["a list", rows, patched],
    ["a window", { rows, total: 2 }, { rows: patched, total: 2 }],
    ["pages of windows", { pages: [{ rows }], pageParams: [null] }, { pages: [{ rows: patched }], pageParams: [null] }],
    ["one row", { id: "b", status: "online", name: "beta" }, { id: "b", status: "offline", name: "beta" }],
  ])("patches %s", (_, before, after) => {
    expect(applyEvent(before, update)).toEqual(after);
  });

  it.each([
    ["another row", { id: "z", status: "online" }],
    ["a list without it", [{ id: "z" }]],
    ["pages without it", { pages: [{ rows: [{ id: "z" }] }] }],
    ["a figure", 7],
    ["nothing yet", undefined],
  ])("leaves %s as the same object", (_, before) => {
    expect(applyEvent(before, update)).toBe(before);
  });

  it("takes a deleted row out", () => {
    expect(applyEvent(rows, { event: "DELETE", payload: { id: "a" } })).toEqual([{ id: "b", status: "online" }]);
  });

  it("does not guess where a new row belongs", () => {
    expect(applyEvent(rows, { event: "INSERT", payload: { id: "c" } })).toBe(rows);
  });
});

describe("what is fetched again", () => {
  const event: LiveEvent = { channel: "machines", event: "UPDATE", table: "machines", payload: { id: "b", status: "offline" }, seq: 1 };

  it("is the table, with the columns that changed, and the figures made from it", () => {
    expect(staleTopics(event)).toEqual([
      { topic: "machines", changed: ["id", "status"] },
      { topic: "dashboard", changed: null },
      { topic: "evaluation", changed: null },
    ]);
  });

  it("is what was judged by the rules, where who is in a group changed", () => {
    const topics = staleTopics({ ...event, channel: "acl", event: "INSERT", table: "segmentation_group_members" }).map(({ topic }) => topic);
    expect(topics).toContain("evaluation");
    expect(topics).not.toContain("acl_rules");
  });

  it("is the names of the network where a machine got or lost one, not where it came or went", () => {
    const topics = (change: Partial<LiveEvent>) => staleTopics({ ...event, ...change }).map(({ topic }) => topic);
    expect(topics({})).not.toContain("dns");
    expect(topics({ payload: { id: "b", name: "web", status: "online" } })).toContain("dns");
    expect(topics({ event: "DELETE" })).toContain("dns");
    expect(topics({ event: "REFRESH", payload: null })).toContain("dns");
    expect(topics({ channel: "dns", table: "dns_records", event: "INSERT" })).toContain("dns");
  });

  it("is the flow log where rules or the settings changed", () => {
    const topics = (change: Partial<LiveEvent>) => staleTopics({ ...event, ...change }).map(({ topic }) => topic);
    expect(topics({ channel: "acl", table: "acl_rules" })).toContain("flow_logs");
    expect(topics({ channel: "general", table: "org_settings" })).toContain("flow_logs");
    expect(topics({})).not.toContain("flow_logs");
  });

  it("is the settings, and what they decide, whatever of them changed", () => {
    const changed = staleTopics({ ...event, channel: "general", table: "org_settings", payload: { id: "s", posture_enforcement: "enforce" } });
    expect(changed).toContainEqual({ topic: "org_settings", changed: null });
    expect(changed).toContainEqual({ topic: "evaluation", changed: null });
  });

  it("is the whole table after a new row", () => {
    expect(staleTopics({ ...event, event: "INSERT" })[0]).toEqual({ topic: "machines", changed: null });
  });

  it("is a list only where its filter reads a changed column", () => {
    expect(concerns(["list", narrowedBy({ status: "online", os: undefined })], ["id", "status"])).toBe(true);
    expect(concerns(["list", narrowedBy({ status: undefined, os: "linux" })], ["id", "status"])).toBe(false);
    expect(concerns(["one", "b"], ["id", "status"])).toBe(false);
    expect(concerns(["count"], null)).toBe(true);
  });

  it("never reaches another organisation's cache", () => {
    const client = new QueryClient();
    client.setQueryData(orgKey("mine", "machines"), rows);
    client.setQueryData(orgKey("theirs", "machines"), rows);
    patchCache(client, "mine", event);
    expect(client.getQueryData(orgKey("mine", "machines"))).toEqual(patched);
    expect(client.getQueryData(orgKey("theirs", "machines"))).toBe(rows);
  });
});
