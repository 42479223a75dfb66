import { describe, expect, it } from "vitest";
import type { AuthKey, Machine } from "@/api/tables";
import { stateOf } from "./auth-keys/columns";
import { visitorPlatform } from "./dashboard/install";
import { keyExpiry } from "./key-expiry";
import { isNarrowed, readMachineSearch } from "./list/machine-search";
import { machinesQuery } from "./queries";
import { pendingRoutes } from "./status";

const now = Date.parse("2026-11-23T12:00:00Z");

describe("readMachineSearch()", () => {
  it("keeps what it knows and drops what it does not", () => {
    expect(readMachineSearch({ tab: "pending", q: "100", status: "online", os: "beos", role: "waiting", sort: "id;drop", dir: "desc", x: 1 })).toEqual({
      tab: "pending",
      q: "100",
      status: "online",
      os: undefined,
      tag: undefined,
      role: "waiting",
      sort: undefined,
      dir: "desc",
    });
  });

  it("tells filters from a mere order", () => {
    expect(isNarrowed({ sort: "name", tab: "pending" })).toBe(false);
    expect(isNarrowed({ q: "web" })).toBe(true);
    expect(isNarrowed({ role: "router" })).toBe(true);
  });
});

it("caches the machines of two organisations apart", () => {
  expect(machinesQuery("a", {}).queryKey).not.toEqual(machinesQuery("b", {}).queryKey);
});

it("knows which offers of routes still wait", () => {
  const offers = { advertised_routes: ["10.0.0.0/8", "192.168.7.0/24"], approved_routes: ["10.0.0.0/8"] };
  expect(pendingRoutes(offers)).toEqual(["192.168.7.0/24"]);
  expect(pendingRoutes({ ...offers, approved_routes: offers.advertised_routes })).toEqual([]);
});

describe("keyExpiry()", () => {
  const machine = { key_created_at: "2026-11-13T12:00:00Z", key_expiry_disabled: false, key_expired_at: null } as Machine;

  it.each([
    [180, { text: "170 d", colour: "grey" }],
    [30, { text: "20 d", colour: "orange" }],
    [5, { text: "Expired", colour: "red" }],
  ])("of %i days", (days, expected) => {
    expect(keyExpiry(machine, days, now)).toEqual(expected);
  });

  it("is off where it was switched off, unless the key was ended by hand", () => {
    expect(keyExpiry({ ...machine, key_expiry_disabled: true }, 5, now)?.text).toBe("Disabled");
    expect(keyExpiry({ ...machine, key_expiry_disabled: true, key_expired_at: "2026-11-20T00:00:00Z" }, 5, now)?.text).toBe("Expired");
  });
});

describe("the state of an auth key", () => {
  const key = { revoked: false, expired: false, expires_at: "2026-12-01T00:00:00Z", reusable: false, used_count: 0, max_uses: null } as AuthKey;

  it.each([
    [{}, "Active"],
    [{ used_count: 1 }, "Used"],
    [{ reusable: true, used_count: 9 }, "Active"],
    [{ reusable: true, used_count: 9, max_uses: 9 }, "Used"],
    [{ expires_at: "2026-11-23T11:59:59Z" }, "Expired"],
    [{ revoked: true, expired: true }, "Revoked"],
  ])("with %o is %s", (change, expected) => {
    expect(stateOf({ ...key, ...change }, now).text).toBe(expected);
  });
});

it("offers the visitor's own platform first", () => {
  expect(visitorPlatform("Mozilla/5.0 (Windows NT 10.0; Win64)")).toBe("windows");
  expect(visitorPlatform("Mozilla/5.0 (Macintosh; Intel Mac OS X)")).toBe("macos");
  expect(visitorPlatform("Mozilla/5.0 (X11; Linux x86_64)")).toBe("linux");
});
