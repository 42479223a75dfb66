import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { act } from "@/api/client";
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

/** A pair as one machine last reported it. */
export interface PeerPath {
  machine_id: string;
  name: string;
  tailnet_ip: string;
  path: "direct" | "relay" | "none";
  rtt_ms: number | null;
  pqc: "verified" | "pending" | "classical";
  endpoint: string | null;
  rx_bytes: number;
  tx_bytes: number;
}

const PATHS_EVERY_MS = 10_000;

/** Paths change without an event of their own: they are reported by heartbeat and read again while on screen. */
export function peersQuery(orgId: string, machineId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machine-peers", machineId),
    refetchInterval: PATHS_EVERY_MS,
    queryFn: ({ signal }) => act<{ peers: PeerPath[] }>("machine-admin", "peers", { org_id: orgId, machine_id: machineId }, signal),
  });
}

/** One action on one machine; its answer reaches every list by event, and at once by refetch. */
export function actOnMachine<T = unknown>(orgId: string, machineId: string, action: string, values: object = {}): Promise<T> {
  return act<T>("machine-admin", action, { org_id: orgId, machine_id: machineId, ...values });
}
