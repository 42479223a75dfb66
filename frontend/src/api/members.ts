import { queryOptions } from "@tanstack/react-query";
import { call } from "./client";
import { orgKey } from "./keys";
import type { Role } from "./tables";

export interface Member {
  id: string;
  user_id: string;
  email: string | null;
  role: Role;
  status: "active" | "pending";
  joined_at: string;
  full_name: string | null;
}

/** Everybody in the organisation, by the day they joined. */
export function membersQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "org_members"),
    queryFn: async ({ signal }) => {
      const body = { fn: "get_org_members", _org_id: orgId };
      const answer = await call<{ members: Member[] }>("/api/db/_rpc", { method: "POST", body, signal });
      return answer.members;
    },
  });
}
