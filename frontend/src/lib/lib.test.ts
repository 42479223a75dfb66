import { describe, expect, it } from "vitest";
import { bytes } from "./bytes";
import { countryName } from "./countries";
import { toCsv } from "./csv";
import { initials } from "./initials";
import { listOf } from "./list";
import { safeRedirect } from "./redirect";
import { parseSearch, stringifySearch } from "./search-params";
import { ago, daysUntil, duration, freshness, localMidnight, localTime, plural, timeLeft, utcTime } from "./time";

const now = Date.parse("2026-11-23T12:00:00Z");
const before = (ms: number) => new Date(now - ms).toISOString();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("countries", () => {
  it("have a name and their code, and only their code where nobody knows them", () => {
    expect([countryName("DE"), countryName("XX")]).toEqual(["Germany (DE)", "XX"]);
  });
});

describe("times", () => {
  it.each([
    [-5_000, "0:00"],
    [400, "0:01"],
    [65_000, "1:05"],
    [HOUR + 5 * MINUTE, "1 h 05 min"],
    [50 * HOUR, "2 days 2 h"],
  ])("tells how long it is until %d ms from now", (ms, text) => {
    expect(timeLeft(before(-ms), now)).toBe(text);
  });

  it("tells short and long durations", () => {
    expect([duration(240), duration(1234)]).toEqual(["240 ms", "1.2 s"]);
  });

  it.each([
    [4 * MINUTE, "fresh"],
    [5 * MINUTE, "recent"],
    [59 * MINUTE, "recent"],
    [5 * HOUR, "old"],
    [24 * HOUR, "stale"],
  ])("a sign of life %i ms ago is %s", (age, expected) => {
    expect(freshness(before(age), now)).toBe(expected);
  });

  it.each([
    [10_000, "just now"],
    [4 * MINUTE, "4 min ago"],
    [3 * HOUR, "3 h ago"],
    [24 * HOUR, "1 day ago"],
    [72 * HOUR, "3 days ago"],
    [-HOUR, "just now"],
  ])("%i ms ago reads %s", (age, expected) => {
    expect(ago(before(age), now)).toBe(expected);
  });

  it("gives the date unless it is today", () => {
    expect(localTime(before(MINUTE), now)).not.toContain("2026");
    expect(localTime(before(72 * HOUR), now)).toContain("2026");
  });

  it("shows the exact moment in UTC", () => {
    expect(utcTime("2026-11-23T05:10:44.250Z")).toBe("2026-11-23 05:10:44 UTC");
  });

  it("counts whole days, negative once passed", () => {
    expect(daysUntil("2026-11-30T12:00:00Z", now)).toBe(7);
    expect(daysUntil("2026-11-22T11:00:00Z", now)).toBe(-2);
  });

  it("finds local midnight", () => {
    const midnight = new Date(localMidnight(now));
    expect([midnight.getHours(), midnight.getMinutes(), midnight.getSeconds()]).toEqual([0, 0, 0]);
    expect(midnight.getDate()).toBe(new Date(now).getDate());
  });

  it("counts things", () => {
    expect([plural(1, "event"), plural(1200, "event")]).toEqual(["1 event", `${(1200).toLocaleString()} events`]);
  });
});

describe("CSV", () => {
  it("quotes what needs quotes and ends rows with CRLF", () => {
    expect(toCsv(["Name", "Note"], [['Ann "A", Lee', "two\nlines"]])).toBe('Name,Note\r\n"Ann ""A"", Lee","two\nlines"\r\n');
  });

  it.each(["=1+1", "+1", "-1", "@cmd", "\tx", "\rx"])("disarms a cell that begins like the formula %j", (cell) => {
    expect(toCsv(["h"], [[cell]])).toContain(`'${cell}`);
  });
});

describe("safeRedirect()", () => {
  const origin = "https://console.example";
  it.each([
    ["/machines?tab=pending", "/machines?tab=pending"],
    [undefined, "/dashboard"],
    ["//evil.example/x", "/dashboard"],
    ["/\\evil.example", "/dashboard"],
    ["https://evil.example", "/dashboard"],
    ["javascript:alert(1)", "/dashboard"],
    ["/auth?redirect=/auth", "/dashboard"],
  ])("takes %s to %s", (target, expected) => {
    expect(safeRedirect(target, origin)).toBe(expected);
  });
});

describe("search parameters", () => {
  it("stay the texts they are, whatever they look like", () => {
    const search = { cli_state: "12e45", q: "100", tab: "true", name: 'a&b="c"' };
    expect(parseSearch(stringifySearch(search))).toEqual(search);
  });

  it("leave out what is not set", () => {
    expect([stringifySearch({ q: undefined }), stringifySearch({ q: undefined, page: 2 })]).toEqual(["", "?page=2"]);
  });
});

it("makes initials", () => {
  expect(["Vikas Swaminh", "Alice", "", "   ", null, "𝒜lice"].map(initials)).toEqual(["VS", "A", "U", "U", "U", "𝒜"]);
});

it("splits lists that people type", () => {
  expect(listOf(" web,  db\nprod ,")).toEqual(["web", "db", "prod"]);
});

it("shows sizes", () => {
  expect([0, 900, 1536, 5_000_000_000].map(bytes)).toEqual(["0 B", "900 B", "1.5 KB", "4.7 GB"]);
});
