import { useQuery } from "@tanstack/react-query";
import { useCurrentOrg } from "@/api/current-org";
import { Page } from "@/components/page";
import { QueryView } from "@/components/states";
import { Skeleton } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { MagicDnsCard } from "./magic-dns-card";
import { NameserversCard } from "./nameservers-card";
import { RecordsCard } from "./records-card";
import { ResolveCard } from "./resolve-card";
import { dnsQuery } from "./queries";

/** Names of the network: who has which, and who is asked for all others. */
export function DnsPage() {
  const { org } = useCurrentOrg();
  useChannels("dns", "machines");
  const query = useQuery(dnsQuery(org.id));
  return (
    <Page title="DNS" subtitle="Names of your machines, and who is asked for all others.">
      <QueryView query={query} skeleton={<DnsSkeleton />}>
        {(dns) => (
          <div className="grid gap-4 lg:grid-cols-2">
            <div className="grid min-w-0 content-start gap-4">
              <MagicDnsCard dns={dns} />
              <ResolveCard domain={dns.domain} />
            </div>
            <NameserversCard nameservers={dns.nameservers} override={dns.settings.override_local_dns} />
            <div className="min-w-0 lg:col-span-2">
              <RecordsCard dns={dns} />
            </div>
          </div>
        )}
      </QueryView>
    </Page>
  );
}

function DnsSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="grid gap-4 lg:grid-cols-2">
      <Skeleton className="h-80" />
      <Skeleton className="h-80" />
      <Skeleton className="h-72 lg:col-span-2" />
    </div>
  );
}
