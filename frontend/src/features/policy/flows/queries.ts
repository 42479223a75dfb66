import { infiniteQueryOptions, keepPreviousData, useMutation, useQueryClient } from "@tanstack/react-query";
import { act } from "@/api/act";
import { callForFile } from "@/api/client";
import { useCurrentOrg } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import type { Verdict } from "@/api/tables";
import { save } from "@/lib/download";
import { actOnPolicy } from "../plans/queries";
import { requestOf, type FlowSearch } from "./flow-search";

const WINDOW_ROWS = 200;

/** The control plane ends an export here. */
export const MOST_EXPORTED = 50_000;

/** One end: a machine, or an address that belongs to none. */
export interface FlowEnd {
  id: string | null;
  name: string | null;
  address: string;
}

/** What one machine saw between two ends through one service, merged over a while. */
export interface Flow {
  id: string;
  at: string;
  /** Who recorded it. */
  machine: { id: string; name: string };
  source: FlowEnd;
  destination: FlowEnd;
  protocol: string;
  port: number;
  verdict: Verdict;
  /** Null where no rule decided; its name is null once the rule is gone. */
  rule: { id: string; name: string | null } | null;
  packets: number;
  bytes: number;
  /** How many connections it stands for. */
  count: number;
}

export interface FlowWindow {
  enabled: boolean;
  flows: Flow[];
  next_cursor: string | null;
}

/** The flow log, newest first, one window after the other. */
export function flowsQuery(orgId: string, search: FlowSearch) {
  return infiniteQueryOptions({
    queryKey: orgKey(orgId, "flow_logs", search),
    // Machines report every few moments: whoever comes to the page wants the present.
    staleTime: 0,
    placeholderData: keepPreviousData,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      actOnPolicy<FlowWindow>(orgId, "flows", { ...requestOf(search, Date.now()), limit: WINDOW_ROWS, ...(pageParam !== null && { cursor: pageParam }) }, signal),
    getNextPageParam: ({ next_cursor }) => next_cursor,
  });
}

interface ExportOutcome {
  /** Gets the number of entries in the file. */
  onSuccess: (count: number) => void;
  onError: (error: Error) => void;
}

/** Saves all flows that the filters let through as CSV, made by the control plane. */
export function useExport(search: FlowSearch, outcome: ExportOutcome) {
  const { org } = useCurrentOrg();
  return useMutation({
    mutationFn: async () => {
      const body = { action: "flows_export", org_id: org.id, ...requestOf(search, Date.now()) };
      const file = await callForFile("/api/policy", { method: "POST", body });
      save(`${org.slug}-flows.csv`, file);
      // No cell holds a line break; the first line is the header.
      return (await file.text()).trimEnd().split("\n").length - 1;
    },
    ...outcome,
  });
}

export function useStartRecording() {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return async () => {
    await act("org-management", "update_org_settings", { org_id: org.id, flow_logs_enabled: true });
    await Promise.all(["flow_logs", "org_settings"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
  };
}
