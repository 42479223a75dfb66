import { expect, it } from "vitest";
import type { WebhookDelivery } from "@/api/answers";
import type { Webhook } from "@/api/tables";
import { hostOf, pathOf } from "./address";
import { countIn, includes, withEvent, withGroup } from "./chosen-events";
import { resultOf, stateOf } from "./queries";

const group = { title: "Access rules", events: ["acl_rule.created", "acl_rule.deleted", "plan.applied"] };

it("asks for a whole group by one wildcard a noun", () => {
  expect(withGroup(["jit.*", "acl_rule.created"], group, true)).toEqual(["jit.*", "acl_rule.*", "plan.*"]);
  expect(withGroup(["jit.*", "acl_rule.*", "plan.applied"], group, false)).toEqual(["jit.*"]);
});

it("counts what a wildcard includes", () => {
  expect(countIn(["acl_rule.*"], group)).toBe(2);
  expect(countIn(["*"], group)).toBe(3);
  expect(includes(["acl_rule.created"], "acl_rule.deleted")).toBe(false);
});

it("keeps the others when one event leaves a wildcard", () => {
  expect(withEvent(["acl_rule.*", "plan.*"], group, "acl_rule.created", false)).toEqual(["plan.*", "acl_rule.deleted"]);
  expect(withEvent(["plan.applied"], group, "acl_rule.created", true)).toEqual(["plan.applied", "acl_rule.created"]);
  expect(withEvent(["plan.applied"], group, "plan.applied", false)).toEqual([]);
});

const webhook = { enabled: true, disabled_at: null, failing_since: null, last_ok: true } as Webhook;

it("tells how a webhook does", () => {
  const texts = [
    webhook,
    { ...webhook, last_ok: null },
    { ...webhook, failing_since: "2026-11-26T00:00:00Z", last_ok: false },
    { ...webhook, enabled: false },
    { ...webhook, enabled: false, disabled_at: "2026-11-26T00:00:00Z" },
  ].map((row) => stateOf(row).text);
  expect(texts).toEqual(["Delivering", "Nothing sent yet", "Failing", "Off", "Switched off after failures"]);
});

it("tells what came of a try", () => {
  const tried = { attempted_at: "2026-11-26T00:00:00Z", response_status: 204, duration_ms: 35, error: "" } as WebhookDelivery;
  expect(resultOf(tried)).toBe("204 in 35 ms");
  expect(resultOf({ ...tried, response_status: null, error: "the address is not public" })).toBe("the address is not public");
  expect(resultOf({ ...tried, attempted_at: null })).toBe("not tried yet");
});

it("splits an address, whatever it is", () => {
  expect([hostOf("https://hooks.example.com:8443/a?b=c"), pathOf("https://hooks.example.com:8443/a?b=c")]).toEqual(["hooks.example.com:8443", "/a?b=c"]);
  expect([hostOf("nonsense"), pathOf("nonsense")]).toEqual(["nonsense", ""]);
});
