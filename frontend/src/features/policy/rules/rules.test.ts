import { describe, expect, it } from "vitest";
import type { AclRule } from "@/api/tables";
import { conditionsOf, daysOf, hoursOf } from "./conditions";
import { rulesJson } from "./json-tab";
import { inOrder } from "./queries";
import { blankRule, changedValues, draftOf, faultsOf, valuesOf } from "./rule-draft";
import { isNarrowed, lifeOf, narrowed, readRuleSearch } from "./rule-search";

const now = Date.parse("2026-11-23T12:00:00Z");
const ID = "0f8c9a52-1b7e-4c1d-9d6a-5f0e8f0c2b11";
const rule: AclRule = {
  id: "r1",
  org_id: "o",
  created_by: null,
  created_at: "2026-11-01T00:00:00Z",
  updated_at: "2026-11-01T00:00:00Z",
  name: "web",
  description: null,
  source: "*",
  destination: ID,
  src: "*",
  dst: ID,
  proto: "tcp",
  protocol: "tcp",
  ports: "443",
  action: "allow",
  priority: 100,
  enabled: true,
  starts_at: null,
  expires_at: null,
  time_hour: null,
  day_of_week: null,
  timezone: "UTC",
  source_country: null,
  source_os: null,
  require_posture: false,
  require_pqc: false,
  jit_grant_id: null,
  unresolved: [],
  warnings: [],
  revision: 1,
};
const nameOf = (id: string) => (id === ID ? "web-1" : undefined);

it("judges by priority, then age, then id", () => {
  const rules = [
    { ...rule, id: "c" },
    { ...rule, id: "b", created_at: "2026-10-01T00:00:00Z" },
    { ...rule, id: "a", priority: 5 },
    { ...rule, id: "0" },
  ];
  expect(inOrder(rules).map(({ id }) => id)).toEqual(["a", "b", "0", "c"]);
});

describe("conditions", () => {
  it.each([
    ["mon-fri", ["mon", "tue", "wed", "thu", "fri"]],
    ["fri-mon", ["mon", "fri", "sat", "sun"]],
    ["wed,mon", ["mon", "wed"]],
    ["someday", []],
    [null, []],
  ])("reads the days of %j", (text, found) => {
    expect(daysOf(text)).toEqual(found);
  });

  it("reads hours in both spellings", () => {
    expect(hoursOf("09-18")).toEqual(["09:00", "18:00"]);
    expect(hoursOf("22:30-24:00")).toEqual(["22:30", "00:00"]);
    expect(hoursOf(null)).toEqual(["", ""]);
  });

  it("tells each in words, and nothing of a rule that asks nothing", () => {
    expect(conditionsOf(rule)).toEqual([]);
    const asked = { ...rule, time_hour: "09-18", day_of_week: "mon-fri", timezone: "Asia/Kolkata", source_os: ["darwin"], require_posture: true };
    expect(conditionsOf(asked).map(({ text }) => text)).toEqual(["09:00–18:00 mon–fri Asia/Kolkata", "macOS", "healthy devices"]);
  });
});

describe("a rule's form", () => {
  it("shows machines by name and gives back what was stored", () => {
    const draft = draftOf({ ...rule, time_hour: "09-18", day_of_week: "mon-fri" }, nameOf);
    expect(draft.destination).toBe("web-1");
    expect(valuesOf(draft)).toMatchObject({ name: "web", source: "*", ports: "443", priority: 100, time_hour: "09:00-18:00", day_of_week: "mon,tue,wed,thu,fri" });
  });

  it("sends only what was changed", () => {
    const draft = draftOf({ ...rule, expires_at: "2026-12-01T10:00:00Z" }, nameOf);
    expect(changedValues(draft, draft)).toEqual({});
    expect(changedValues(draft, { ...draft, ports: "443, 8443", expiresAt: "" })).toEqual({ ports: "443,8443", expires_at: null });
  });

  it("asks no ports of ICMP", () => {
    const draft = { ...blankRule, source: "*", destination: "*", protocol: "icmp" as const, ports: "nonsense" };
    expect(faultsOf(draft, now)).toEqual({});
    expect(valuesOf(draft).ports).toBe("*");
  });

  it("takes all seven days for no condition", () => {
    expect(valuesOf({ ...blankRule, days: daysOf("mon-sun") }).day_of_week).toBeNull();
  });

  it("names what is wrong by its column", () => {
    const faults = faultsOf({ ...blankRule, ports: "90-80", countries: "Germany", from: "09:00", until: "09:00", expiresAt: "2026-11-23T00:00" }, now);
    expect(Object.keys(faults).sort()).toEqual(["destination", "expires_at", "ports", "source", "source_country", "time_hour"]);
  });
});

it("tells rules as JSON that goes back in, without what they leave open", () => {
  const told = JSON.parse(rulesJson([rule, { ...rule, require_pqc: true, timezone: "Europe/Berlin" }])) as { acl_rules: object[] };
  expect(told.acl_rules[0]).toEqual({ name: "web", source: "*", destination: ID, protocol: "tcp", ports: "443", action: "allow", priority: 100, enabled: true });
  expect(told.acl_rules[1]).toMatchObject({ require_pqc: true, timezone: "Europe/Berlin" });
});

describe("the list", () => {
  const names = (end: string) => (end === ID ? "web-1" : end);

  it("is searched by machines' names though rules hold ids", () => {
    expect(narrowed([rule], { q: "WEB-1" }, names)).toEqual([rule]);
    expect(narrowed([rule], { q: "db-1" }, names)).toEqual([]);
  });

  it("is narrowed by what a rule does and by its state", () => {
    const deny = { ...rule, id: "r2", action: "deny" as const, enabled: false, unresolved: ["tag:prood"] };
    expect(narrowed([rule, deny], { action: "deny" }, names)).toEqual([deny]);
    expect(narrowed([rule, deny], { state: "on" }, names)).toEqual([rule]);
    expect(narrowed([rule, deny], { state: "unresolved" }, names)).toEqual([deny]);
    expect(narrowed([rule, deny], { state: "jit" }, names)).toEqual([]);
  });

  it("reads nothing it does not know out of a URL", () => {
    expect(readRuleSearch({ tab: "x", action: "toString", state: "constructor", q: " " })).toEqual({});
    expect(isNarrowed({ tab: "json" })).toBe(false);
  });

  it("knows where a rule stands in its life", () => {
    expect(lifeOf(rule, now)).toBeNull();
    expect(lifeOf({ starts_at: null, expires_at: "2026-11-23T12:00:00Z" }, now)).toBe("over");
    expect(lifeOf({ starts_at: "2026-11-24T00:00:00Z", expires_at: null }, now)).toBe("waiting");
    expect(lifeOf({ starts_at: null, expires_at: "2026-11-23T20:00:00Z" }, now)).toBe("ending");
  });
});
