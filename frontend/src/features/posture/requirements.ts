import type { PosturePolicy, PostureReport, Violation } from "@/api/tables";

/** What a policy asks, a phrase each. */
export function requirementsOf(policy: Omit<PosturePolicy, "id" | "org_id">): string[] {
  const lock = policy.screen_lock;
  const versions = Object.entries(policy.min_os_version).flatMap(([os, version]) =>
    version !== null && typeof version === "object" ? Object.entries(version).map(([name, least]) => `${name} ${String(least)} or newer`) : [`${os} ${String(version)} or newer`],
  );
  return [
    policy.require_disk_encryption && "disk encryption",
    policy.require_firewall && "firewall",
    policy.require_antivirus && "antivirus",
    policy.max_patch_age_days !== null && `patches of the last ${policy.max_patch_age_days} days`,
    lock && lock.enabled !== false && (lock.max_idle_min ? `screen lock within ${lock.max_idle_min} min` : "screen lock"),
    policy.require_auto_update && "automatic updates",
    policy.agent_version_min && `agent ${policy.agent_version_min} or newer`,
    policy.allowed_os.length > 0 && `only ${policy.allowed_os.join(", ")}`,
    ...versions,
  ].filter((text): text is string => typeof text === "string");
}

const titles: Record<string, string> = {
  disk_encryption_required: "The disk is not encrypted",
  firewall_required: "No firewall is active",
  antivirus_required: "No antivirus is running",
  patch_age_exceeded: "Updates are too old",
  os_not_allowed: "This system is not allowed",
  os_version_too_old: "The system is too old",
  screen_lock_required: "The screen does not lock in time",
  auto_update_required: "Automatic updates are off",
  agent_version_too_old: "The agent is too old",
  signal_unknown: "Something that is required could not be read",
};

/** A violation in plain words; older codes may carry their figures in brackets. */
export function titleOf(code: string): string {
  return titles[bare(code)] ?? bare(code).replaceAll("_", " ");
}

function bare(code: string): string {
  return code.replace(/ \(.*$/, "");
}

const signals: Record<string, string> = {
  disk_encrypted: "Disk encryption",
  firewall_enabled: "The firewall",
  antivirus_enabled: "The antivirus",
  patch_age_days: "The age of the patches",
  screen_lock_timeout: "The screen lock",
  auto_update: "Automatic updates",
  agent_version: "The agent's version",
  os_version: "The system's version",
};

export interface Fault {
  key: string;
  title: string;
  figures: string | null;
  remedy: string | null;
}

/** Everything that is wrong with a machine, each once, though several policies may ask it. */
export function faultsOf({ violations, violation_details: details, remedies }: Pick<PostureReport, "violations" | "violation_details" | "remedies">): Fault[] {
  const all: Violation[] = details.length > 0 ? details : violations.map((code) => ({ code }));
  const faults = new Map<string, Fault>();
  for (const violation of all) {
    const { code, allowed } = violation;
    const unread = bare(code) === "signal_unknown" && typeof allowed === "string" ? allowed : null;
    const figures = unread === null ? figuresOf(violation) : null;
    const key = `${bare(code)} ${unread ?? figures ?? ""}`;
    faults.set(key, { key, title: unread === null ? titleOf(code) : `${signals[unread] ?? unread} could not be read`, figures, remedy: remedies[bare(code)] ?? null });
  }
  return [...faults.values()];
}

/** "found 45 days, at most 30" where a violation tells its figures. */
export function figuresOf({ code, found, allowed }: Violation): string | null {
  switch (bare(code)) {
    case "patch_age_exceeded":
      return isNumber(found) && isNumber(allowed) ? `${found} days old, at most ${allowed}` : null;
    case "screen_lock_required":
      if (!isNumber(found)) return null;
      return (found === 0 ? "never locks" : `locks after ${minutes(found)}`) + (isNumber(allowed) ? `, at most ${minutes(allowed)}` : "");
    case "os_not_allowed":
      return typeof found === "string" && Array.isArray(allowed) ? `${found}, allowed: ${allowed.join(", ")}` : null;
    default:
      return typeof found === "string" && typeof allowed === "string" ? `${found}, at least ${allowed}` : null;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function minutes(seconds: number): string {
  return `${Math.round(seconds / 60)} min`;
}
