import { describe, expect, it } from "vitest";
import { completeEnd, suggestionsFor } from "./end-choices";

const choices = ["*", "tag:web", "tag:db", "group:Web team", "user:ada@example.test", "web-1", "intraweb"].map((value) => ({ value, hint: "" }));
const values = (end: string) => suggestionsFor(choices, end).map(({ value }) => value);

describe("completing an end", () => {
  it("offers what begins with the letters first, whatever stands before the colon", () => {
    expect(values("web")).toEqual(["tag:web", "group:Web team", "web-1", "intraweb"]);
    expect(values("tag:")).toEqual(["tag:web", "tag:db"]);
  });

  it("completes the last member and offers none twice", () => {
    expect(values("tag:web, we")).toEqual(["group:Web team", "web-1", "intraweb"]);
    expect(completeEnd("tag:web, we", "web-1")).toBe("tag:web, web-1");
    expect(completeEnd("we", "web-1")).toBe("web-1");
  });

  it("is silent once the member is complete", () => {
    expect(values("tag:web")).toEqual([]);
  });
});
