import { expect, it } from "vitest";
import type { Role } from "@/api/tables";
import { sectionsFor } from "./navigation";

const placesOf = (role: Role) => sectionsFor(role).flatMap(({ places }) => places.map(({ to }) => to));

it("leads nobody to a page that refuses them", () => {
  expect(placesOf("auditor")).toEqual(placesOf("owner"));
  const hidden = placesOf("owner").filter((to) => !placesOf("member").includes(to));
  expect(hidden).toEqual(["/flows", "/settings/auth-keys", "/api-keys"]);
});
