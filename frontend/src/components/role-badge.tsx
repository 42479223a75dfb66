import type { Role } from "@/api/tables";
import { Badge } from "./ui/badge";

export function RoleBadge({ role }: { role: Role }) {
  if (role === "owner" || role === "admin") return <Badge colour="accent">{role}</Badge>;
  return role === "auditor" ? <Badge outlined>auditor</Badge> : <Badge>member</Badge>;
}
