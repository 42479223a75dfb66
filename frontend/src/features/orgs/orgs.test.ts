import { expect, it } from "vitest";
import { chooseOrg } from "@/api/current-org";
import type { Member } from "@/api/members";
import type { Membership } from "@/api/session";
import { rolesToGive } from "./roles";
import { slugOf } from "./slug";
import { usersCsv } from "./users/users-page";

it.each([
  ["Acme Engineering", "acme-engineering"],
  ["  Ünïted & Co. ", "united-co"],
  ["-- x --", "x"],
  ["日本", ""],
])("makes of %j the label %j", (name, slug) => {
  expect(slugOf(name)).toBe(slug);
});

it("exports active members only, safe to open in a spreadsheet", () => {
  const member = { full_name: 'Lee, "Al"', email: "a@x.test", role: "member", status: "active", joined_at: "2026-11-01T00:00:00.000Z" } as Member;
  const evil = { ...member, full_name: "=HYPERLINK(1)" };
  const waiting = { ...member, status: "pending" } as Member;
  expect(usersCsv([member, evil, waiting])).toBe(
    'Name,Email,Role,Joined\r\n"Lee, ""Al""",a@x.test,member,2026-11-01T00:00:00.000Z\r\n\'=HYPERLINK(1),a@x.test,member,2026-11-01T00:00:00.000Z\r\n',
  );
});

it("lets only owners make owners", () => {
  expect(rolesToGive("owner")).toContain("owner");
  expect(rolesToGive("admin")).not.toContain("owner");
});

it("opens the remembered organisation while one is still in it, else the default", () => {
  const orgs = [{ id: "a" }, { id: "b", is_default: true }] as Membership[];
  expect(chooseOrg(orgs, "a")?.id).toBe("a");
  expect(chooseOrg(orgs, "gone")?.id).toBe("b");
  expect(chooseOrg([], "a")).toBeUndefined();
});
