import { queryOptions } from "@tanstack/react-query";
import { from } from "./from";
import { narrowedBy, orgKey } from "./keys";
import type { IdpGroup, Machine, SegmentationGroup } from "./tables";

const MOST_MACHINES = 1000;
const MOST_GROUPS = 1000;

export type NamedMachine = Pick<Machine, "id" | "name" | "tailnet_ip" | "tags" | "status" | "os">;

/**
 * Machines by name, for choosing one and for showing names in place of ids. A window of a thousand: beyond it a name
 * must be typed and an id stays an id.
 */
export function namedMachinesQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "machines", "named", narrowedBy({ name: true, tags: true, status: true })),
    staleTime: 5 * 60_000,
    queryFn: ({ signal }): Promise<NamedMachine[]> =>
      from("machines").in(orgId).select("id", "name", "tailnet_ip", "tags", "status", "os").order("name").limit(MOST_MACHINES).rows(signal),
  });
}

/** The organisation's own groups of machines, by name. */
export function groupsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "segmentation_groups"),
    queryFn: ({ signal }): Promise<SegmentationGroup[]> => from("segmentation_groups").in(orgId).order("name").limit(MOST_GROUPS).rows(signal),
  });
}

/** Groups of people that the identity provider tells of, by name. */
export function peopleGroupsQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "idp_groups"),
    queryFn: ({ signal }): Promise<IdpGroup[]> => from("idp_groups").in(orgId).order("name").limit(MOST_GROUPS).rows(signal),
  });
}
