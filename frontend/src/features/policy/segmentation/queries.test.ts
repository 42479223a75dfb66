import { describe, expect, it } from "vitest";
import type { Member } from "@/api/members";
import type { AclRule } from "@/api/tables";
import { peopleNamed } from "./people";
import { byGroup, groupsMatching, rulesNaming } from "./queries";

const names = (groups: { name: string }[]) => groups.map(({ name }) => name);

describe("groups on the page", () => {
  const groups = [{ name: "ops" }, { name: "Eng", description: "builds things" }, { name: "dev" }];

  it("stand by name, whatever the case", () => {
    expect(names(groupsMatching(groups, ""))).toEqual(["dev", "Eng", "ops"]);
  });

  it("are found by name and by what is said of them", () => {
    expect(names(groupsMatching(groups, " EN"))).toEqual(["Eng"]);
    expect(names(groupsMatching(groups, "things"))).toEqual(["Eng"]);
    expect(groupsMatching(groups, "nobody")).toEqual([]);
  });

  it("know who is in them", () => {
    const found = byGroup([
      { group_id: "a", user_id: "1" },
      { group_id: "b", user_id: "1" },
      { group_id: "a", user_id: "2" },
    ]);
    expect(found.get("a")?.map(({ user_id }) => user_id)).toEqual(["1", "2"]);
    expect(found.get("c")).toBeUndefined();
  });

  it("name people as well as they are known, in that order", () => {
    const members = [
      { user_id: "1", email: "zoe@example.test", full_name: null },
      { user_id: "2", email: "ada@example.test", full_name: "bea" },
    ] as Member[];
    const memberships = ["1", "2", "a-stranger"].map((user_id) => ({ id: user_id, group_id: "g", user_id, created_at: "2026-11-26T10:00:00Z" }));
    expect(peopleNamed(memberships, members).map(({ name, email }) => [name, email])).toEqual([
      ["a-stranger", null],
      ["bea", "ada@example.test"],
      ["zoe@example.test", "zoe@example.test"],
    ]);
  });

  it("are named by rules at either end, and by no longer name", () => {
    const rules = [
      { name: "from", source: "tag:x,group:ENG", destination: "*" },
      { name: "to", source: "*", destination: "group:eng" },
      { name: "other", source: "group:engine", destination: "*" },
    ] as AclRule[];
    expect(names(rulesNaming(rules, "Eng"))).toEqual(["from", "to"]);
  });
});
