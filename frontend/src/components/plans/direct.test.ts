import { afterEach, expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import { dropToken, holdToken } from "@/api/token";
import { previewFailed, saveDirectly } from "./direct";

afterEach(() => {
  vi.unstubAllGlobals();
  dropToken();
});

it.each([
  ["INTERNAL_ERROR", 500, true],
  ["BAD_ANSWER", 502, true],
  ["NOT_FOUND", 404, true],
  ["VALIDATION_ERROR", 400, false],
  ["FORBIDDEN", 403, false],
  ["CONFLICT", 409, false],
  ["OFFLINE", 0, false],
])("%s (%i): the preview failed, not the change: %s", (code, status, failed) => {
  expect(previewFailed(new ApiError(code, "", status))).toBe(failed);
});

it("saves every table, and settings, where no plan can be had", async () => {
  const sent: unknown[][] = [];
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    const { pathname, searchParams } = new URL(path, "http://console");
    sent.push([init.method, pathname.replace("/api/", ""), searchParams.get("id"), searchParams.get("force"), typeof init.body === "string" ? (JSON.parse(init.body) as unknown) : null]);
    return Promise.resolve(Response.json({ success: true, data: {}, error: null }));
  });
  holdToken({ token: "t", expires_in: 3600 });
  await saveDirectly("o", {
    settings: { posture_enforcement: "enforce" },
    posture_policies: { create: [{ name: "Firewall" }] },
    acl_rules: { update: [{ id: "r", enabled: false }], delete: ["s"] },
    segmentation_groups: { delete: [{ id: "g", force: true }] },
  });
  expect(sent).toEqual([
    ["DELETE", "db/segmentation_groups", "eq.g", "true", null],
    ["PATCH", "db/acl_rules", "eq.r", null, { enabled: false }],
    ["DELETE", "db/acl_rules", "eq.s", null, null],
    ["POST", "db/posture_policies", null, null, { org_id: "o", name: "Firewall" }],
    ["POST", "org-management", null, null, { action: "update_org_settings", org_id: "o", posture_enforcement: "enforce" }],
  ]);
});
