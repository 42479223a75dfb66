import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Nameserver } from "@/api/answers";
import { useIsAdmin } from "@/api/current-org";
import { Confirm } from "@/components/confirm";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SwitchRow } from "@/components/ui/switch";
import { NameserverDialog } from "./nameserver-dialog";
import { tellFailure, useDnsChange } from "./queries";

export function NameserversCard({ nameservers, override }: { nameservers: Nameserver[]; override: boolean }) {
  const isAdmin = useIsAdmin();
  const [adding, setAdding] = useState(false);
  const change = useDnsChange("update_settings", "Saved");
  const general = nameservers.filter(({ type }) => type === "global");
  const split = nameservers.filter(({ type }) => type === "split");
  return (
    <Card
      title="Nameservers"
      subtitle="Who is asked for names outside your network."
      actions={
        isAdmin && (
          <Button size="sm" onClick={() => setAdding(true)}>
            <Plus /> Add nameserver
          </Button>
        )
      }
    >
      <Group title="All other names" servers={general} empty={override ? "None. Machines ask an encrypted public resolver." : "None. Machines keep the resolvers of the network they are in."} />
      <Group title="Split DNS" servers={split} empty="None. Send the names of some domains to a nameserver of their own." />
      <div className="mt-3 border-t border-line pt-1">
        <SwitchRow
          label="Override local DNS"
          hint="On: machines ask only the nameservers above, never those of the network they are in. Off: a host that can choose by name keeps its own for all other names."
          checked={override}
          disabled={!isAdmin || change.isPending}
          onChange={(override_local_dns) => change.mutate({ override_local_dns }, tellFailure)}
        />
      </div>
      {adding && <NameserverDialog onClose={() => setAdding(false)} />}
    </Card>
  );
}

function Group({ title, servers, empty }: { title: string; servers: Nameserver[]; empty: string }) {
  return (
    <section className="mt-3 first-of-type:mt-0">
      <h3 className="mb-1 text-[0.83rem] font-medium text-muted">{title}</h3>
      {servers.length === 0 ? (
        <p className="py-1 text-muted">{empty}</p>
      ) : (
        <ul className="divide-y divide-line">
          {servers.map((server) => (
            <ServerRow key={server.id} server={server} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ServerRow({ server }: { server: Nameserver }) {
  const isAdmin = useIsAdmin();
  const [removing, setRemoving] = useState(false);
  const remove = useDnsChange("remove_nameserver", "Nameserver removed");
  const encrypted = server.nameserver.startsWith("tls://");
  return (
    <li className="flex items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <code className="min-w-0 font-mono text-[0.82rem] break-all">{server.nameserver}</code>
          {encrypted && (
            <Badge colour="green" title="DNS over TLS">
              Encrypted
            </Badge>
          )}
        </p>
        {server.domains.length > 0 && (
          <p className="mt-1 flex flex-wrap gap-1">
            {server.domains.map((domain) => (
              <Badge key={domain} mono>
                {domain}
              </Badge>
            ))}
          </p>
        )}
      </div>
      {isAdmin && (
        <Button tone="ghost" size="icon" onClick={() => setRemoving(true)} aria-label={`Remove ${server.nameserver}`}>
          <Trash2 />
        </Button>
      )}
      {removing && (
        <Confirm title={`Remove ${server.nameserver}?`} action="Remove" onClose={() => setRemoving(false)} onConfirm={() => remove.mutateAsync({ nameserver_id: server.id })}>
          Machines stop asking it within seconds.
        </Confirm>
      )}
    </li>
  );
}
