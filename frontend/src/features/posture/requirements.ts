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

interface Told {
  title: string;
  remedy: Partial<Record<"linux" | "macos" | "windows", string>> & { any?: string };
}

const told: Record<string, Told> = {
  disk_encryption_required: {
    title: "The disk is not encrypted",
    remedy: { linux: "Reinstall on LUKS, or move root and home onto an encrypted volume.", macos: "Turn on FileVault in System Settings, Privacy & Security.", windows: "Turn on BitLocker for the system drive." },
  },
  firewall_required: {
    title: "No firewall is active",
    remedy: { linux: "sudo ufw enable, or an nftables input chain whose policy is drop.", macos: "Turn on the firewall in System Settings, Network.", windows: "Turn on Windows Defender Firewall for all profiles." },
  },
  antivirus_required: { title: "No antivirus is running", remedy: { linux: "Install clamav-daemon and clamav-freshclam, and start them.", macos: "Update macOS so that XProtect is current.", windows: "Turn on real-time protection in Windows Security." } },
  patch_age_exceeded: { title: "Updates are too old", remedy: { linux: "sudo apt update && sudo apt upgrade, or dnf upgrade.", macos: "Install updates in System Settings, General.", windows: "Install updates in Windows Update." } },
  os_not_allowed: { title: "This system is not allowed", remedy: { any: "Ask an administrator to allow this operating system." } },
  os_version_too_old: { title: "The system is too old", remedy: { any: "Upgrade the operating system." } },
  screen_lock_required: { title: "The screen does not lock in time", remedy: { linux: "Set a screen lock in the desktop's settings.", macos: "Require a password after the screen saver begins.", windows: "Set a screen timeout and require sign-in on wake." } },
  auto_update_required: { title: "Automatic updates are off", remedy: { linux: "Install unattended-upgrades, or turn dnf-automatic on.", macos: "Turn on Automatic Updates.", windows: "Resume updates in Windows Update." } },
  agent_version_too_old: { title: "The agent is too old", remedy: { any: "Update the agent: ztna update." } },
  signal_unknown: { title: "Something that is required could not be read", remedy: { any: "ztna posture status on the machine tells what, and why." } },
};

/** A violation in plain words; older codes may carry their figures in brackets. */
export function titleOf(code: string): string {
  return told[bare(code)]?.title ?? bare(code).replaceAll("_", " ");
}

/** What to do about it on this system; null when nothing is known. */
export function remedyOf(code: string, os: string): string | null {
  const remedy = told[bare(code)]?.remedy;
  const system = os === "linux" || os === "windows" ? os : os === "darwin" || os === "macos" ? "macos" : null;
  return (system && remedy?.[system]) ?? remedy?.any ?? null;
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
export function faultsOf({ violations, violation_details: details }: Pick<PostureReport, "violations" | "violation_details">, os: string): Fault[] {
  const all: Violation[] = details.length > 0 ? details : violations.map((code) => ({ code }));
  const faults = new Map<string, Fault>();
  for (const violation of all) {
    const { code, allowed } = violation;
    const unread = bare(code) === "signal_unknown" && typeof allowed === "string" ? allowed : null;
    const figures = unread === null ? figuresOf(violation) : null;
    const key = `${bare(code)} ${unread ?? figures ?? ""}`;
    faults.set(key, { key, title: unread === null ? titleOf(code) : `${signals[unread] ?? unread} could not be read`, figures, remedy: remedyOf(code, os) });
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
