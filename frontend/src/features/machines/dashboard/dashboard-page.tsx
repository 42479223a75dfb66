import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { BookOpen } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { preferencesQuery, savePreferences } from "@/api/preferences";
import { Page } from "@/components/page";
import { QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { useChannels } from "@/realtime/provider";
import { ActiveMachinesCard, ConfigurationCard, NetworkStatusCard, TeamCard } from "./cards";
import { Guide } from "./guide";
import { statsQuery } from "./queries";
import { Warnings } from "./warnings";

export function DashboardPage() {
  const { org } = useCurrentOrg();
  useChannels("machines", "members", "posture", "acl");
  const stats = useQuery(statsQuery(org.id));
  const guide = useGuide(stats.data !== undefined && stats.data.onlineCount === 0);
  return (
    <Page
      title="Dashboard"
      subtitle={org.name}
      actions={
        guide.known &&
        !guide.shown && (
          <Button tone="ghost" onClick={() => guide.show(true)}>
            <BookOpen /> Getting Started
          </Button>
        )
      }
    >
      <QueryView query={stats} skeleton={<DashboardSkeleton />}>
        {(data) => (
          <div className="grid gap-4">
            <Warnings stats={data} />
            {guide.shown && <Guide onSkip={() => guide.show(false)} />}
            <div className="grid gap-4 md:grid-cols-2 xl:grid-cols-4">
              <NetworkStatusCard stats={data} />
              <ConfigurationCard stats={data} />
              <ActiveMachinesCard />
              <TeamCard />
            </div>
          </div>
        )}
      </QueryView>
    </Page>
  );
}

/** The guide shows while nothing is online, until this user dismisses it here; asked for, it shows in any case. */
function useGuide(needed: boolean) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const preferences = useQuery(preferencesQuery(org.id));
  const save = useMutation({
    mutationFn: (shown: boolean) => savePreferences(org.id, { ...preferences.data, onboarding_dismissed: !shown }),
    onMutate: (shown) =>
      client.setQueryData(preferencesQuery(org.id).queryKey, (old) => ({ ...old, onboarding_dismissed: !shown })),
    onError: (error) => {
      toast.failed(messageOf(error));
      return client.invalidateQueries({ queryKey: orgKey(org.id, "preferences") });
    },
  });
  const dismissed = preferences.data?.onboarding_dismissed;
  return {
    known: preferences.data !== undefined,
    shown: dismissed === false || (dismissed === undefined && preferences.data !== undefined && needed),
    show: (shown: boolean) => save.mutate(shown),
  };
}

function DashboardSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="grid gap-4 md:grid-cols-2 xl:grid-cols-4">
      {[0, 1, 2, 3].map((i) => (
        <Skeleton key={i} className="h-64 rounded-2xl" />
      ))}
    </div>
  );
}
