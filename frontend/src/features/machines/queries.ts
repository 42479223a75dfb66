import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { act, type ActionOf, type ValuesOf } from "@/api/act";
import { from, type Window } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { Machine } from "@/api/tables";
import type { MachineRole, MachineSearch } from "./list/machine-search";

const WINDOW_ROWS = 200;

const roleColumns = { router: "subnet_router", exit: "exit_node_approved", waiting: "routes_pending" } as const;

/** The columns whose change may move a machine into a list of this role, or out of it. */
function readBy(role: MachineRole | undefined) {
  return { advertised_routes: role, approved_routes: role, advertise_exit_node: role, exit_node_approved: role };
}

/** The machines the search matches, window by window. */
export function machinesQuery(orgId: string, search: MachineSearch) {
  const { q, status, os, tag, role, sort = "name", dir = "asc" } = search;
  return infiniteQueryOptions({
    queryKey: orgKey(orgId, "machines", "list", sort, dir, narrowedBy({ name: q, tailnet_ip: q, status, os, tags: tag, ...readBy(role) })),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }: Window<Machine>) => next,
    queryFn: ({ pageParam, signal }) => {
      let query = from("machines").in(orgId);
      if (q) query = query.search(["name", "tailnet_ip"], q);
      if (status) query = query.eq("status", status);
      if (os) query = query.eq("os", os);
      if (tag) query = query.contains("tags", [tag]);
      if (role) query = query.eq(roleColumns[role], true);
      return query.order(sort, dir).limit(WINDOW_ROWS).after(pageParam).exactCount().window(signal);
    },
  });
}

/** How many machines the organisation has, whatever is filtered. */
export function machineCountQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machines", "count"),
    queryFn: async ({ signal }) => (await from("machines").in(orgId).select("id").limit(0).exactCount().window(signal)).total ?? 0,
  });
}

export function machineQuery(orgId: string, machineId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machines", "one", machineId),
    queryFn: ({ signal }) => from("machines").in(orgId).eq("id", machineId).first(signal),
  });
}

/** The latest refusal of a machine's identity by a peer, if there is one. */
export function identityRefusalQuery(orgId: string, machineId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "audit_logs", "identity", machineId),
    queryFn: async ({ signal }) => {
      const values = { org_id: orgId, page_size: 1, audit_action: "machine.peer_identity_refused", resource_id: machineId };
      return (await act("governance", "search_audit_logs", values, signal)).logs[0] ?? null;
    },
  });
}

const PATHS_EVERY_MS = 10_000;

/** Paths change without an event of their own: they are reported by heartbeat and read again while on screen. */
export function peersQuery(orgId: string, machineId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machine-peers", machineId),
    refetchInterval: PATHS_EVERY_MS,
    queryFn: ({ signal }) => act("machine-admin", "peers", { org_id: orgId, machine_id: machineId }, signal),
  });
}

type MachineAction = ActionOf<"machine-admin">;
type MachineValues<A extends MachineAction> = Omit<ValuesOf<"machine-admin", A>, "org_id" | "machine_id">;

/** One action on one machine. Lists follow by event; whoever acts refreshes its own at once. */
export function actOnMachine<A extends MachineAction>(orgId: string, machineId: string, action: A, values?: MachineValues<A>): Promise<unknown> {
  // The parts are checked above; their union over all actions is more than the compiler wants to hold.
  const whole = { org_id: orgId, machine_id: machineId, ...values } as never;
  return act("machine-admin", action, whole);
}
