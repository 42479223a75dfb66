import type { OnFail, PosturePolicy } from "@/api/tables";
import { listOf } from "@/lib/list";

/** A posture policy as its form holds it. */
export interface PolicyDraft {
  name: string;
  description: string;
  tags: string;
  groups: string;
  disk: boolean;
  firewall: boolean;
  antivirus: boolean;
  autoUpdate: boolean;
  patchAge: string;
  screenLock: boolean;
  idleMinutes: string;
  agentVersion: string;
  systems: string[];
  versions: string;
  onFail: OnFail;
  grace: string;
}

export const blankPolicy: PolicyDraft = {
  name: "",
  description: "",
  tags: "",
  groups: "",
  disk: false,
  firewall: false,
  antivirus: false,
  autoUpdate: false,
  patchAge: "",
  screenLock: false,
  idleMinutes: "",
  agentVersion: "",
  systems: [],
  versions: "",
  onFail: "quarantine",
  grace: "0",
};

/** What the form calls its fields. */
export const labels: Record<keyof PolicyDraft, string> = {
  name: "Name",
  description: "Description",
  tags: "Tags",
  groups: "Groups",
  disk: "Disk encryption",
  firewall: "Firewall",
  antivirus: "Antivirus",
  autoUpdate: "Automatic updates",
  patchAge: "Patches not older than (days)",
  screenLock: "Screen lock",
  idleMinutes: "Locks within (minutes)",
  agentVersion: "Agent not older than",
  systems: "Systems",
  versions: "System not older than",
  onFail: "A machine that fails",
  grace: "After (minutes)",
};

export function draftOf(policy: PosturePolicy): PolicyDraft {
  return {
    name: policy.name,
    description: policy.description ?? "",
    tags: (policy.scope.tags ?? []).join(", "),
    groups: (policy.scope.groups ?? []).join(", "),
    disk: policy.require_disk_encryption,
    firewall: policy.require_firewall,
    antivirus: policy.require_antivirus,
    autoUpdate: policy.require_auto_update,
    patchAge: policy.max_patch_age_days === null ? "" : String(policy.max_patch_age_days),
    screenLock: policy.screen_lock !== null && policy.screen_lock.enabled !== false,
    idleMinutes: policy.screen_lock?.max_idle_min ? String(policy.screen_lock.max_idle_min) : "",
    agentVersion: policy.agent_version_min ?? "",
    systems: policy.allowed_os,
    versions: versionsText(policy.min_os_version),
    onFail: policy.on_fail,
    grace: String(policy.grace_period_min),
  };
}

/** The columns that a form stands for; throws VersionFault for versions that it can't read. */
export function policyValues(draft: PolicyDraft) {
  const tags = listOf(draft.tags);
  const groups = draft.groups
    .split(",")
    .map((group) => group.trim())
    .filter(Boolean);
  return {
    name: draft.name.trim(),
    description: draft.description.trim() || null,
    scope: { ...(tags.length > 0 && { tags }), ...(groups.length > 0 && { groups }) },
    allowed_os: draft.systems,
    min_os_version: versionsOf(draft.versions),
    require_disk_encryption: draft.disk,
    require_firewall: draft.firewall,
    require_antivirus: draft.antivirus,
    max_patch_age_days: draft.patchAge ? Number(draft.patchAge) : null,
    screen_lock: draft.screenLock ? { enabled: true, ...(draft.idleMinutes && { max_idle_min: Number(draft.idleMinutes) }) } : null,
    require_auto_update: draft.autoUpdate,
    agent_version_min: draft.agentVersion.trim() || null,
    on_fail: draft.onFail,
    grace_period_min: Number(draft.grace || 0),
  };
}

/** `ubuntu 22.04, debian 12, macos 13.0`: names of no other system are distributions of Linux. */
export function versionsOf(text: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const linux: Record<string, string> = {};
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (!entry) continue;
    const [, name, version] = /^([a-z]+) (\d[\w.-]*)$/i.exec(entry) ?? [];
    if (name === undefined || version === undefined) throw new VersionFault(`${entry} is no name and version, such as ubuntu 22.04.`);
    const system = name.toLowerCase();
    if (["macos", "darwin", "windows", "linux"].includes(system)) found[system] = version;
    else linux[system] = version;
  }
  if (Object.keys(linux).length > 0) found.linux = linux;
  return found;
}

/** What shows to be wrong before anybody is asked, by the column it is about. */
export function faultsOf(draft: PolicyDraft): Partial<Record<string, string>> {
  try {
    versionsOf(draft.versions);
    return {};
  } catch (fault) {
    return { min_os_version: (fault as VersionFault).message };
  }
}

export class VersionFault extends Error {}

function versionsText(versions: Record<string, unknown>): string {
  return Object.entries(versions)
    .flatMap(([system, version]) => (version !== null && typeof version === "object" ? Object.entries(version).map(([name, least]) => `${name} ${String(least)}`) : [`${system} ${String(version)}`]))
    .join(", ");
}
