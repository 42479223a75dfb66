import { expect, it } from "vitest";
import { changedColumns, differing, merged } from "./contested";

const before = { name: "web", ports: "80", days: ["mon"] };

it("tells fields apart by what they hold", () => {
  expect(differing(before, { ...before, days: ["mon"] })).toEqual([]);
  expect(differing(before, { ...before, days: ["mon", "tue"], ports: "81" })).toEqual(["ports", "days"]);
});

it("keeps what was typed and takes the rest from the other", () => {
  const mine = { ...before, ports: "81" };
  const theirs = { name: "www", ports: "8080", days: [] };
  expect(merged(before, mine, theirs)).toEqual({ name: "www", ports: "81", days: [] });
});

it("sends only what differs, emptied columns too", () => {
  expect(changedColumns<Record<string, unknown>>({ name: "web", country: ["DE"] }, { name: "web", country: null })).toEqual({ country: null });
  expect(changedColumns(before, before)).toEqual({});
});
