import type { MachineStatus } from "@/api/tables";
import { textParam } from "@/lib/search-params";

export type MachineRole = keyof typeof roles;
export type MachineTab = "all" | "pending";
export type MachineSort = "name" | "tailnet_ip" | "os" | "status" | "last_seen";

/** What the machines page shows, as its URL says it. */
export interface MachineSearch {
  tab?: "pending";
  q?: string;
  status?: MachineStatus;
  os?: string;
  tag?: string;
  role?: MachineRole;
  sort?: MachineSort;
  dir?: "desc";
}

const statuses: readonly string[] = ["online", "offline", "pending", "quarantined"] satisfies MachineStatus[];
const sorts: readonly string[] = ["name", "tailnet_ip", "os", "status", "last_seen"] satisfies MachineSort[];
/** What a machine does for others, or offers to do. */
export const roles = { router: "Subnet router", exit: "Exit node", waiting: "Routes pending" } as const;
export const systems = { linux: "Linux", macos: "macOS", windows: "Windows", ios: "iOS", android: "Android" } as const;

export function readMachineSearch(search: Record<string, unknown>): MachineSearch {
  return {
    tab: search.tab === "pending" ? "pending" : undefined,
    q: textParam(search.q),
    status: oneOf(statuses, search.status) as MachineStatus | undefined,
    os: oneOf(Object.keys(systems), search.os),
    tag: textParam(search.tag),
    role: oneOf(Object.keys(roles), search.role) as MachineRole | undefined,
    sort: oneOf(sorts, search.sort) as MachineSort | undefined,
    dir: search.dir === "desc" ? "desc" : undefined,
  };
}

export function isNarrowed({ q, status, os, tag, role }: MachineSearch): boolean {
  return [q, status, os, tag, role].some((filter) => filter !== undefined);
}

function oneOf(values: readonly string[], value: unknown): string | undefined {
  return typeof value === "string" && values.includes(value) ? value : undefined;
}
