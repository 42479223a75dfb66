import { expect, it } from "vitest";
import { readAuditSearch, requestOf } from "./audit-search";

const now = Date.parse("2026-11-23T12:00:00Z");

it("asks for all that is kept unless a period was chosen", () => {
  expect(requestOf({}, now)).toEqual({});
});

it("counts days from local midnight", () => {
  const { date_from } = requestOf({ period: "today" }, now);
  const from = new Date(String(date_from));
  expect([from.getHours(), from.getMinutes(), from.getDate()]).toEqual([0, 0, new Date(now).getDate()]);
});

it("names every filter as the call does", () => {
  expect(requestOf({ q: "login", category: "auth", type: "user", resource: "r", page: 2 }, now)).toEqual({
    search: "login",
    action_category: "auth",
    resource_type: "user",
    resource_id: "r",
    page: 2,
  });
});

it("reads nothing it does not know out of a URL", () => {
  expect(readAuditSearch({ period: "toString", page: -1, q: " " })).toEqual({});
});
