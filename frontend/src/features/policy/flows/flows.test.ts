import { describe, expect, it } from "vitest";
import { barsInWords, barsOf, type Bar } from "./bars";
import { readEnd, readService } from "./filters";
import { customFrom, isNarrowed, noFilters, readFlowSearch, requestOf, serviceFields, spanOf } from "./flow-search";
import { endText, serviceText } from "./flow-text";

const now = Date.parse("2026-11-24T12:00:30Z");
const HOUR = 60 * 60 * 1000;
const ID = "0f8c9a52-1b7e-4c1d-9d6a-5f0e8f0c2b11";
const at = (before: number) => new Date(now - before).toISOString();

describe("the address of the flow log", () => {
  it("carries every filter, and the call names each as the control plane does", () => {
    const search = readFlowSearch({ period: "1h", verdict: "deny", source: ID, destination: "100.64.0.9", rule: ID, service: "tcp/5432" });
    expect(requestOf(search, now)).toEqual({
      from: "2026-11-24T11:00:30.000Z",
      verdict: "deny",
      source: ID,
      destination: "100.64.0.9",
      rule_id: ID,
      protocol: "tcp",
      port: 5432,
    });
  });

  it("asks for a day without an end unless told otherwise", () => {
    expect(requestOf({}, now)).toEqual({ from: "2026-11-23T12:00:30.000Z" });
    expect(isNarrowed({ period: "7d" })).toBe(false);
    expect(isNarrowed({ ...noFilters, service: "443" })).toBe(true);
  });

  it("takes nothing it does not know", () => {
    expect(readFlowSearch({ period: "toString", verdict: "maybe", service: "65536", source: " ", from: "2026-11-24T00:00:00Z" })).toEqual({});
    expect(readFlowSearch({ period: "custom", from: "yesterday", to: "2026-11-24T10:00+01:00" })).toEqual({ period: "custom", to: "2026-11-24T09:00:00.000Z" });
  });

  it("begins a period of one's own where the one on screen begins", () => {
    const custom = customFrom({ period: "1h" }, now);
    expect(custom).toEqual({ period: "custom", from: "2026-11-24T11:00:00.000Z" });
    expect(spanOf(custom, now)).toEqual({ from: now - HOUR - 30_000, to: now });
    expect(spanOf({ period: "custom", to: at(HOUR) }, now)).toEqual({ from: now - 25 * HOUR, to: now - HOUR });
    expect(requestOf({ ...custom, to: at(0) }, now).to).toBe(at(0));
  });
});

describe("what is typed into a filter", () => {
  it.each([
    ["443", { port: 443 }],
    ["tcp/443", { protocol: "tcp", port: 443 }],
    ["UDP", { protocol: "udp" }],
    ["icmp", { protocol: "icmp" }],
    ["tcp443", null],
    ["sctp/1", null],
    ["70000", null],
    ["-1", null],
    ["/", null],
    ["", null],
  ])("%s is the service %j", (text, fields) => {
    expect(serviceFields(text)).toEqual(fields);
  });

  it("turns a machine's name into its id and leaves addresses alone", () => {
    const machines = [{ id: ID, name: "web" }];
    expect(readEnd("WEB", machines)).toEqual({ value: ID });
    expect(readEnd("fd00::1", machines)).toEqual({ value: "fd00::1" });
    expect(readEnd("", machines)).toEqual({ value: undefined });
    expect(readEnd("we", machines)).toHaveProperty("fault");
    expect(readEnd("10.0.0.0/8", machines)).toHaveProperty("fault");
    expect(readService("Tcp/22")).toEqual({ value: "tcp/22" });
    expect(readService("ssh")).toHaveProperty("fault");
  });
});

describe("an entry in words", () => {
  it.each([
    ["tcp", 5432, "tcp/5432"],
    ["icmp", 0, "icmp"],
    ["47", 0, "protocol 47"],
  ])("%s %i is %s", (protocol, port, text) => {
    expect(serviceText({ protocol, port })).toBe(text);
  });

  it.each([
    [{ id: ID, name: "web", address: "100.64.0.9" }, "web"],
    [{ id: ID, name: null, address: "100.64.0.9" }, "0f8c9a52"],
    [{ id: null, name: null, address: "100.64.0.9" }, "100.64.0.9"],
  ])("%j is called %s", (end, text) => {
    expect(endText(end)).toBe(text);
  });
});

describe("flows over time", () => {
  const span = { from: now - HOUR, to: now };
  const flows = [
    { at: at(0), verdict: "allow", count: 3 },
    { at: at(1000), verdict: "deny", count: 1 },
    { at: at(30 * 60_000), verdict: "allow", count: 2 },
    { at: at(5 * HOUR), verdict: "allow", count: 100 },
  ] as const;

  it("counts connections in steps that begin at round times, and none outside the span", () => {
    const bars = barsOf(flows, span);
    expect(bars.every(({ from }) => from % (2 * 60_000) === 0)).toBe(true);
    expect(bars[0]?.from).toBeLessThanOrEqual(span.from);
    expect(bars.at(-1)).toMatchObject({ allowed: 3, denied: 1 });
    expect(bars.reduce((sum, bar) => sum + bar.allowed, 0)).toBe(5);
  });

  it.each([60_000, HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR, 400 * 24 * HOUR])("has few enough bars for %i ms, without gaps", (length) => {
    const bars = barsOf([], { from: now - length, to: now });
    expect(bars.length).toBeLessThanOrEqual(50);
    expect(bars.slice(1).every((bar, i) => bar.from === bars[i]?.until)).toBe(true);
    expect(bars.at(-1)?.until).toBeGreaterThan(now);
  });

  it("can be read aloud", () => {
    const bars: Bar[] = [
      { from: 1, until: 2, allowed: 1, denied: 0 },
      { from: 2, until: 3, allowed: 4, denied: 2 },
    ];
    expect(barsInWords(bars, String)).toBe("5 allowed and 2 denied connections from 1 to 3; most from 2: 4 allowed, 2 denied.");
    expect(barsInWords(barsOf([], span), String)).toBe("No connections in this time.");
  });
});
