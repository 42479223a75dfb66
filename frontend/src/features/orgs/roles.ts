import type { Role } from "@/api/tables";

export const roleHints: Record<Role, string> = {
  owner: "May do everything, and hand the organisation on.",
  admin: "Manages machines, people, keys and settings.",
  member: "Sees the network and manages their own machines.",
  auditor: "Reads and exports everything, changes nothing.",
};

/** The roles that somebody of `role` may give to others. */
export function rolesToGive(role: Role): Role[] {
  return role === "owner" ? ["owner", "admin", "member", "auditor"] : ["admin", "member", "auditor"];
}
