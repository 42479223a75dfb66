import { describe, expect, it } from "vitest";
import { hoursText, isActive, shareLeft, stateOf } from "./queries";
import { readJitSearch } from "./jit-search";

const now = Date.parse("2026-11-23T12:00:00Z");
const grant = { status: "approved" as const, granted_at: "2026-11-23T11:00:00Z", expires_at: "2026-11-23T13:00:00Z" };

describe("a grant's time", () => {
  it("is over at its end, whether or not the control plane has noted it", () => {
    expect(isActive(grant, now)).toBe(true);
    const over = { ...grant, expires_at: "2026-11-23T12:00:00Z" };
    expect(isActive(over, now)).toBe(false);
    expect(stateOf(over, now)).toBe("expired");
    expect(stateOf({ status: "denied", expires_at: null }, now)).toBe("denied");
  });

  it("shrinks from one to nothing", () => {
    expect(shareLeft(grant, now)).toBe(0.5);
    expect(shareLeft(grant, now + 10 * 3_600_000)).toBe(0);
    expect(shareLeft({ granted_at: null, expires_at: null }, now)).toBe(0);
  });

  it("is told in hours, or in minutes when short", () => {
    expect([0.25, 1, 1.5, 24].map(hoursText)).toEqual(["15 min", "1 h", "1.5 h", "24 h"]);
  });
});

it("reads no tab it does not know out of a URL", () => {
  expect(readJitSearch({ tab: "inbox" })).toEqual({ tab: "inbox" });
  expect(readJitSearch({ tab: "constructor" })).toEqual({ tab: undefined });
});
