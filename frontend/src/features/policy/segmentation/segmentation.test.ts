import { describe, expect, it } from "vitest";
import { namingIn, policiesNaming } from "./queries";

describe("a group that goes", () => {
  it("is named by policies in whatever case, and not by those that begin like it", () => {
    const attributed = [
      { id: "a", name: "Hours", selector: "tag:web, group:ON CALL" },
      { id: "b", name: "Other", selector: "group:On call 2,*" },
    ];
    const scoped = [
      { id: "c", name: "Firewall", scope: { groups: ["on call"] } },
      { id: "d", name: "Everywhere", scope: {} },
      { id: "e", name: "Tagged", scope: { tags: ["On call"] } },
    ];
    expect(policiesNaming(attributed, scoped, "On call")).toEqual([
      { kind: "abac_policy", id: "a", name: "Hours" },
      { kind: "posture_policy", id: "c", name: "Firewall" },
    ]);
  });

  it("is refused with what names it, by control planes that know of rules alone too", () => {
    const rules = [{ id: "r", name: "ssh" }];
    const policies = [{ kind: "posture_policy", id: "p", name: "Firewall" }];
    expect(namingIn({ rules, policies })).toEqual([{ kind: "acl_rule", id: "r", name: "ssh" }, ...policies]);
    expect(namingIn({ rules })).toEqual([{ kind: "acl_rule", id: "r", name: "ssh" }]);
  });
});
