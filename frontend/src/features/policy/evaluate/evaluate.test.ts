import { describe, expect, it } from "vitest";
import { portsText, questionOf } from "./queries";

const asked = { from: "a", to: "b", protocol: "tcp" as const, port: "22", at: "" };

describe("a question about access", () => {
  it("waits until it is complete and can be meant", () => {
    expect(questionOf({ ...asked, to: "" })).toBeNull();
    expect(questionOf({ ...asked, port: "65536" })).toBeNull();
    expect(questionOf({ ...asked, port: "-1" })).toBeNull();
    expect(questionOf({ ...asked, port: "2.5" })).toBeNull();
  });

  it("asks about all ports without one, and about none with ICMP", () => {
    expect(questionOf(asked)).toEqual({ source_machine_id: "a", destination_machine_id: "b", protocol: "tcp", port: 22 });
    expect(questionOf({ ...asked, port: "" })).not.toHaveProperty("port");
    expect(questionOf({ ...asked, protocol: "icmp" })).not.toHaveProperty("port");
  });

  it("turns a local moment into the API's time", () => {
    expect(questionOf({ ...asked, at: "2026-11-23T12:00" })?.at).toBe(new Date("2026-11-23T12:00").toISOString());
  });

  it("writes ports as people read them", () => {
    expect(portsText([{ from: 22, to: 22 }, { from: 8000, to: 8100 }])).toBe("22, 8000–8100");
  });
});
