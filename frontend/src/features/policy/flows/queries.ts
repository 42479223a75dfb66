import { infiniteQueryOptions, keepPreviousData, useMutation, useQueryClient } from "@tanstack/react-query";
import { act, type ValuesOf } from "@/api/act";
import { callForFile } from "@/api/client";
import { useCurrentOrg } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import { save } from "@/lib/download";
import { requestOf, type FlowSearch } from "./flow-search";

const WINDOW_ROWS = 200;

/** The control plane ends an export here. */
export const MOST_EXPORTED = 50_000;

/** The flow log, newest first, one window after the other. */
export function flowsQuery(orgId: string, search: FlowSearch) {
  return infiniteQueryOptions({
    queryKey: orgKey(orgId, "flow_logs", search),
    // Machines report every few moments: whoever comes to the page wants the present.
    staleTime: 0,
    placeholderData: keepPreviousData,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      act("policy", "flows", { org_id: orgId, ...requestOf(search, Date.now()), limit: WINDOW_ROWS, cursor: pageParam }, signal),
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
      const values: ValuesOf<"policy", "flows_export"> = { org_id: org.id, ...requestOf(search, Date.now()) };
      const file = await callForFile("/api/policy", { method: "POST", body: { action: "flows_export", ...values } });
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
