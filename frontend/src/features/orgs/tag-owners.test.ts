import { expect, it } from "vitest";
import type { Member } from "@/api/members";
import { bareTag, candidates } from "./tag-owners";

const member = (id: string, values: Partial<Member> = {}): Member => ({ id, user_id: id, email: `${id}@example.test`, role: "member", status: "active", joined_at: "", full_name: null, ...values });
const owner = (tag: string, principal_id: string) => ({ tag, principal_id });

it("offers those who do not own the tag yet, however it is written", () => {
  const members = [member("zoe"), member("ada", { full_name: "Ada" }), member("bob"), member("new", { status: "pending" })];
  const owners = [owner("prod", "bob"), owner("dev", "zoe")];
  const offered = (tag: string) => candidates(members, owners, tag).map(({ id }) => id);
  expect(offered("prod")).toEqual(["ada", "zoe"]);
  expect(offered(" tag:prod ")).toEqual(["ada", "zoe"]);
  expect(offered("dev")).toEqual(["ada", "bob"]);
  // Tags are told apart by case.
  expect(offered("PROD")).toEqual(["ada", "bob", "zoe"]);
  expect(offered("")).toEqual(["ada", "bob", "zoe"]);
});

it("keeps a tag without its prefix, once", () => {
  expect(bareTag("tag:prod")).toBe("prod");
  expect(bareTag("tag:tag:prod")).toBe("tag:prod");
});
