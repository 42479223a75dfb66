import { describe, expect, it } from "vitest";
import type { AbacPolicy } from "@/api/tables";
import { attributesText, blankAbac, draftOf, faultsOf, valuesOf } from "./policy-draft";

const policy: AbacPolicy = {
  id: "p",
  org_id: "o",
  created_by: null,
  created_at: "2026-11-01T00:00:00Z",
  updated_at: "2026-11-01T00:00:00Z",
  name: "Europe in office hours",
  effect: "require",
  selector: "tag:eng",
  enabled: true,
  priority: 100,
  unresolved: [],
  warnings: [],
  conditions: { time_hour: "09-18", day_of_week: "mon-fri", timezone: "Europe/Berlin", country: ["DE"], roles: ["admin"], posture: true },
};

describe("an attribute policy", () => {
  it("survives its form", () => {
    expect(valuesOf(draftOf(policy, () => undefined))).toEqual({
      name: "Europe in office hours",
      effect: "require",
      selector: "tag:eng",
      priority: 100,
      conditions: { time_hour: "09:00-18:00", day_of_week: "mon,tue,wed,thu,fri", timezone: "Europe/Berlin", country: ["DE"], roles: ["admin"], posture: "compliant" },
    });
  });

  it("leaves out what it does not ask, and must ask something", () => {
    expect(valuesOf(blankAbac).conditions).toEqual({});
    expect(Object.keys(faultsOf(blankAbac))).toEqual(["conditions"]);
    expect(faultsOf({ ...blankAbac, tags: "eng" })).toEqual({});
  });

  it("is told in phrases", () => {
    expect(attributesText(policy.conditions)).toEqual(["09:00–18:00 mon–fri Europe/Berlin", "in DE", "owned by admin", "healthy"]);
    expect(attributesText({ posture: "non_compliant", network: ["203.0.113.0/24"] })).toEqual(["not healthy", "from 203.0.113.0/24"]);
  });
});
