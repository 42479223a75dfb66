import { describe, expect, it } from "vitest";
import type { PosturePolicy } from "@/api/tables";
import { isStale, type PostureRow } from "./columns";
import { blankPolicy, policyValues, draftOf } from "./policy-draft";
import { readPostureSearch } from "./posture-search";
import { isTemplate } from "./queries";
import { faultsOf, figuresOf, requirementsOf, titleOf } from "./requirements";
import { spansOf } from "./history";

const policy: PosturePolicy = {
  id: "p",
  org_id: "o",
  name: "Laptops",
  description: null,
  scope: { tags: ["laptop"] },
  allowed_os: ["linux", "macos"],
  min_os_version: { linux: { ubuntu: "22.04", debian: "12" } },
  require_disk_encryption: true,
  require_firewall: false,
  require_antivirus: false,
  max_patch_age_days: 30,
  screen_lock: { enabled: true, max_idle_min: 15 },
  require_auto_update: false,
  agent_version_min: null,
  on_fail: "quarantine",
  grace_period_min: 30,
  enabled: true,
  unresolved: [],
  warnings: [],
  created_by: null,
  created_at: "2026-11-01T00:00:00Z",
  updated_at: "2026-11-01T00:00:00Z",
};

describe("what a policy asks", () => {
  it("is told in phrases, and nothing that it does not ask", () => {
    expect(requirementsOf(policy)).toEqual(["disk encryption", "patches of the last 30 days", "screen lock within 15 min", "only linux, macos", "ubuntu 22.04 or newer", "debian 12 or newer"]);
  });

  it("survives its form unchanged", () => {
    expect(policyValues(draftOf(policy))).toMatchObject({
      name: "Laptops",
      scope: { tags: ["laptop"] },
      allowed_os: ["linux", "macos"],
      min_os_version: { linux: { ubuntu: "22.04", debian: "12" } },
      max_patch_age_days: 30,
      screen_lock: { enabled: true, max_idle_min: 15 },
      agent_version_min: null,
      grace_period_min: 30,
    });
  });

  it("is nothing in a blank form", () => {
    expect(policyValues(blankPolicy)).toMatchObject({ scope: {}, allowed_os: [], min_os_version: {}, max_patch_age_days: null, screen_lock: null });
  });

  it("is no template of ours unless the nil organisation owns it", () => {
    expect(isTemplate(policy)).toBe(false);
    expect(isTemplate({ org_id: "00000000-0000-0000-0000-000000000000" })).toBe(true);
  });
});

describe("a violation", () => {
  it("is told in words, whichever way its code is written", () => {
    expect(titleOf("patch_age_exceeded (45 > 30 days)")).toBe(titleOf("patch_age_exceeded"));
    expect(titleOf("something_new")).toBe("something new");
  });

  it.each([
    [{ code: "patch_age_exceeded", found: 45, allowed: 30 }, "45 days old, at most 30"],
    [{ code: "screen_lock_required", found: 0, allowed: 900 }, "never locks, at most 15 min"],
    [{ code: "os_version_too_old", found: "debian 11", allowed: "12" }, "debian 11, at least 12"],
    [{ code: "firewall_required", found: false, allowed: true }, null],
  ])("tells its figures where it has some: %j", (violation, text) => {
    expect(figuresOf(violation)).toBe(text);
  });

  it("is listed once though two policies ask it, and what could not be read by its name", () => {
    const details = [
      { code: "firewall_required", found: false, allowed: true, policy_id: "a" },
      { code: "firewall_required", found: false, allowed: true, policy_id: "b" },
      { code: "signal_unknown", found: null, allowed: "disk_encrypted", policy_id: "a" },
      { code: "signal_unknown", found: null, allowed: "auto_update", policy_id: "a" },
    ];
    const faults = faultsOf({ violations: ["firewall_required", "signal_unknown"], violation_details: details, remedies: { firewall_required: "Turn it on." } });
    expect(faults.map(({ remedy }) => remedy)).toEqual(["Turn it on.", null, null]);
    expect(faults.map(({ title }) => title)).toEqual(["No firewall is active", "Disk encryption could not be read", "Automatic updates could not be read"]);
  });
});

describe("a report", () => {
  const row = (status: string, stale: boolean) => ({ machine: { status }, report: { stale } }) as PostureRow;

  it("is stale while its machine is online and does not renew it", () => {
    expect(isStale(row("online", true))).toBe(true);
    expect(isStale(row("online", false))).toBe(false);
    expect(isStale(row("offline", true))).toBe(false);
    expect(isStale({ ...row("online", true), report: null })).toBe(false);
  });

  it.each(["failing", "compliant", "stale", "silent"])("is chosen by %s in the address", (show) => {
    expect(readPostureSearch({ show })).toEqual({ show });
  });

  it("is not narrowed by anything else", () => {
    expect(readPostureSearch({ show: "old" })).toEqual({ show: undefined });
  });
});

describe("a history", () => {
  const from = Date.parse("2026-11-01T00:00:00Z");
  const until = Date.parse("2026-11-11T00:00:00Z");
  const point = (at: string, compliant: boolean) => ({ at: `2026-${at}T00:00:00Z`, compliant, violations: [] });

  it("holds each state until the next, from the first report to the end", () => {
    const spans = spansOf([point("11-06", false), point("11-03", true)], from, until);
    expect(spans.map(({ start, end, compliant }) => [start, end, compliant])).toEqual([
      [0.2, 0.5, true],
      [0.5, 1, false],
    ]);
  });

  it("begins with what was known before", () => {
    expect(spansOf([point("10-01", true)], from, until)).toMatchObject([{ start: 0, end: 1, compliant: true }]);
    expect(spansOf([], from, until)).toEqual([]);
  });
});
