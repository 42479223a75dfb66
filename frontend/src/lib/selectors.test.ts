import { describe, expect, it } from "vitest";
import { endFault, kindOf, membersOf, portsFault, serviceOf, spelledOut, withNames } from "./selectors";

const ID = "0f8c9a52-1b7e-4c1d-9d6a-5f0e8f0c2b11";

describe("ends of a rule", () => {
  it("parts members at commas only, for groups have blanks in their names", () => {
    expect(membersOf(" tag:web ,group:On call,, *")).toEqual(["tag:web", "group:On call", "*"]);
  });

  it.each([
    ["*", "all"],
    ["tag:web", "tag"],
    ["TAG:web", "tag"],
    ["user:ada@example.test", "user"],
    ["group:On call", "group"],
    ["100.64.0.7", "address"],
    ["10.0.0.0/8", "address"],
    ["fd7a::1", "address"],
    [ID, "machine"],
    ["web-1", "machine"],
  ])("knows what %s names", (member, kind) => {
    expect(kindOf(member)).toBe(kind);
  });

  it("shows machines by name and leaves what it does not know", () => {
    expect(withNames(`tag:web,${ID},web-2`, (id) => (id === ID ? "web-1" : undefined))).toBe("tag:web, web-1, web-2");
  });

  it("spells ids out inside a text too", () => {
    expect(spelledOut(`JIT: * → ${ID}`, () => "web-1")).toBe("JIT: * → web-1");
    expect(spelledOut(`JIT: * → ${ID}`, () => undefined)).toContain(ID);
  });

  it.each(["", " , ", "tag:", "tag:no good", Array.from({ length: 33 }, (_, i) => `m${i}`).join()])("refuses %j", (end) => {
    expect(endFault(end)).not.toBeNull();
  });

  it.each(["*", "tag:web, group:On call", "10.0.0.0/8"])("takes %j", (end) => {
    expect(endFault(end)).toBeNull();
  });
});

describe("ports", () => {
  it.each(["*", "22", "22, 80,8000-8100", "1-65535"])("takes %j", (ports) => {
    expect(portsFault(ports)).toBeNull();
  });

  it.each(["", "0", "65536", "90-80", "ssh", "22,,80", "22-", "*,22"])("refuses %j", (ports) => {
    expect(portsFault(ports)).not.toBeNull();
  });

  it.each([
    ["tcp", "443", "tcp 443"],
    ["tcp", "*", "all tcp"],
    ["*", "1-65535", "anything"],
    ["icmp", "", "ping (icmp)"],
  ])("calls %s %s by name", (protocol, ports, name) => {
    expect(serviceOf({ protocol, ports })).toBe(name);
  });
});
