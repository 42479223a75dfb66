import { expect, it } from "vitest";
import type { Role } from "@/api/tables";
import { sectionsFor } from "./navigation";

const placesOf = (role: Role) => sectionsFor(role).flatMap(({ places }) => places.map(({ to }) => to));

it("leads nobody to a page that refuses them", () => {
  const hiddenFrom = (role: Role) => placesOf("owner").filter((to) => !placesOf(role).includes(to));
  expect(hiddenFrom("admin")).toEqual([]);
  expect(hiddenFrom("auditor")).toEqual(["/webhooks"]);
  expect(hiddenFrom("member")).toEqual(["/flows", "/settings/auth-keys", "/api-keys", "/webhooks"]);
});

it("shows no section without a place", () => {
  expect(sectionsFor("member").filter(({ places }) => places.length === 0)).toEqual([]);
});
