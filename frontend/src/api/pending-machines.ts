import { queryOptions } from "@tanstack/react-query";
import { from } from "./from";
import { narrowedBy, orgKey } from "./keys";

const LIMIT = 100;

/** Machines that wait for approval, oldest first; shared by the bell, the dashboard and the machines page. */
export function pendingMachinesQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machines", "pending", narrowedBy({ status: "pending" })),
    queryFn: ({ signal }) => from("machines").in(orgId).eq("status", "pending").order("created_at").limit(LIMIT).rows(signal),
  });
}
