import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, redirect } from "@tanstack/react-router";
import { useEffect } from "react";
import { CurrentOrgProvider, membershipsQuery, meQuery, useCurrentOrg } from "@/api/current-org";
import { onToken } from "@/api/token";
import { RealtimeProvider } from "@/realtime/provider";
import { Shell } from "@/shell/shell";

export const Route = createFileRoute("/_signed-in/_org")({
  beforeLoad: async ({ context: { queryClient } }) => {
    const [memberships] = await Promise.all([
      queryClient.query({ ...membershipsQuery, staleTime: "static" }),
      queryClient.query({ ...meQuery, staleTime: "static" }),
    ]);
    if (memberships.length === 0) throw redirect({ to: "/create-org", replace: true });
  },
  component: Organisation,
});

function Organisation() {
  const { data: user } = useSuspenseQuery(meQuery);
  const { data: memberships } = useSuspenseQuery(membershipsQuery);
  const navigate = Route.useNavigate();
  useEffect(
    () => onToken((token) => (token === null ? void navigate({ to: "/auth", search: { redirect: location.pathname } }) : undefined)),
    [navigate],
  );
  return (
    <CurrentOrgProvider user={user} memberships={memberships}>
      <LiveShell />
    </CurrentOrgProvider>
  );
}

function LiveShell() {
  const { org } = useCurrentOrg();
  return (
    <RealtimeProvider key={org.id} orgId={org.id}>
      <Shell />
    </RealtimeProvider>
  );
}
