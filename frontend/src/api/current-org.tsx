import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { userKeys } from "./keys";
import { fetchMe, fetchMemberships, type Membership, type User } from "./session";

export const meQuery = queryOptions({ queryKey: userKeys.me, queryFn: ({ signal }) => fetchMe(signal), staleTime: Infinity });
export const membershipsQuery = queryOptions({
  queryKey: userKeys.memberships,
  queryFn: ({ signal }) => fetchMemberships(signal),
  staleTime: 60_000,
});

interface CurrentOrg {
  user: User;
  org: Membership;
  memberships: Membership[];
  switchTo: (orgId: string) => void;
}

const Context = createContext<CurrentOrg | null>(null);
const REMEMBERED = "quickztna.org";

/** Only the id is remembered in the browser; it is no secret, and membership is checked at every call. */
export function rememberOrg(orgId: string): void {
  localStorage.setItem(REMEMBERED, orgId);
}

export function chooseOrg(memberships: readonly Membership[], wanted: string | null): Membership | undefined {
  return memberships.find(({ id }) => id === wanted) ?? memberships.find((org) => org.is_default) ?? memberships[0];
}

interface ProviderProps {
  user: User;
  memberships: Membership[];
  children: ReactNode;
}

export function CurrentOrgProvider({ user, memberships, children }: ProviderProps) {
  const client = useQueryClient();
  const [wanted, setWanted] = useState(() => localStorage.getItem(REMEMBERED));
  const org = chooseOrg(memberships, wanted);
  const switchTo = useCallback(
    (orgId: string) => {
      rememberOrg(orgId);
      setWanted(orgId);
      // Nothing of the organisation one leaves may show in the next.
      client.removeQueries({ queryKey: ["org"] });
    },
    [client],
  );
  const value = useMemo(() => (org ? { user, org, memberships, switchTo } : null), [user, org, memberships, switchTo]);
  return <Context value={value}>{value && children}</Context>;
}

/** Who is signed in, and the organisation on screen. Only under the shell. */
export function useCurrentOrg(): CurrentOrg {
  const value = useContext(Context);
  if (!value) throw new Error("useCurrentOrg() stands outside CurrentOrgProvider");
  return value;
}

/** Owner or administrator of the organisation on screen. What others may not do is not drawn for them. */
export function useIsAdmin(): boolean {
  const { role } = useCurrentOrg().org;
  return role === "owner" || role === "admin";
}

/** Roles that read what only keys, invitations and exports show: all but plain members. */
export function useMayInspect(): boolean {
  return useCurrentOrg().org.role !== "member";
}
