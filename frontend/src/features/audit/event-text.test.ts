import { describe, expect, it } from "vitest";
import { sentence, summary } from "./event-text";

describe("an event on one line", () => {
  it("lists its details", () => {
    expect(summary({ action: "machine.renamed", details: { name: "web", count: 2 } })).toBe("name: web, count: 2");
  });

  it("says in plain words that a peer refused an identity, without the keys", () => {
    const event = { action: "machine.peer_identity_refused", details: { name: "web", refused_by: "db", old_identity: "AAA", new_identity: "BBB" } };
    expect(summary(event)).toMatch(/^db refuses web: /);
    expect(summary(event)).not.toContain("AAA");
    expect(sentence({ ...event, action: "machine.renamed" })).toBeNull();
  });
});
