import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { act, type ActionOf, type ValuesOf } from "@/api/act";
import { from, type Window } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { Machine } from "@/api/tables";
import type { MachineSearch } from "./list/machine-search";

const WINDOW_ROWS = 200;

/** The machines the search matches, window by window. */
export function machinesQuery(orgId: string, search: MachineSearch) {
  const { q, status, os, tag, sort = "name", dir = "asc" } = search;
  return infiniteQueryOptions({
    queryKey: orgKey(orgId, "machines", "list", sort, dir, narrowedBy({ name: q, tailnet_ip: q, status, os, tags: tag })),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }: Window<Machine>) => next,
    queryFn: ({ pageParam, signal }) => {
      let query = from("machines").in(orgId);
      if (q) query = query.search(["name", "tailnet_ip"], q);
      if (status) query = query.eq("status", status);
      if (os) query = query.eq("os", os);
      if (tag) query = query.contains("tags", [tag]);
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
