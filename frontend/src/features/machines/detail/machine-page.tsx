import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { orgSettingsQuery } from "@/api/org-settings";
import type { Machine } from "@/api/tables";
import { BackLink } from "@/components/back-link";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { buttonClass } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { machineQuery } from "../queries";
import { MachineMarks, quarantineReasons, StatusBadge } from "../status";
import { MachineActions } from "./actions";
import { ConnectionCard } from "./connection-card";
import { AddressesCard, AttributesCard, DetailsCard, SettingsCard } from "./fact-cards";
import { IdentityWarning } from "./identity-warning";
import { PeersCard } from "./peers-card";
import { ExitNodeCard, SubnetsCard } from "./routes-cards";

export function MachinePage({ machineId }: { machineId: string }) {
  const { org } = useCurrentOrg();
  useChannels("machines", "general", "audit");
  const query = useQuery(machineQuery(org.id, machineId));
  return (
    <QueryView query={query} skeleton={<MachineSkeleton />}>
      {(machine) => (machine ? <Found machine={machine} /> : <Unknown />)}
    </QueryView>
  );
}

function Found({ machine }: { machine: Machine }) {
  const { org } = useCurrentOrg();
  const settings = useQuery(orgSettingsQuery(org.id));
  return (
    <Page
      title={machine.name}
      subtitle={
        <span className="mt-1 flex flex-wrap items-center gap-1.5">
          <StatusBadge status={machine.status} />
          <MachineMarks machine={machine} />
          {machine.quarantine_reason && (
            <span className="text-red">
              {quarantineReasons[machine.quarantine_reason]}
              {machine.quarantine_note && `: ${machine.quarantine_note}`}
            </span>
          )}
        </span>
      }
      actions={<MachineActions machine={machine} />}
      back={<BackLink to="/machines">All machines</BackLink>}
    >
      <IdentityWarning machineId={machine.id} />
      <div className="grid gap-4 lg:grid-cols-2 xl:grid-cols-3">
        <div className="grid min-w-0 content-start gap-4">
          <DetailsCard machine={machine} keyExpiryDays={settings.data?.key_expiry_days} />
          <SubnetsCard machine={machine} allowed={settings.data?.allow_subnet_routing} />
        </div>
        <div className="grid content-start gap-4">
          <AddressesCard machine={machine} />
          <SettingsCard machine={machine} />
          <ExitNodeCard machine={machine} allowed={settings.data?.allow_exit_nodes} />
        </div>
        <div className="grid content-start gap-4 lg:col-span-2 lg:grid-cols-2 xl:col-span-1 xl:grid-cols-1">
          <ConnectionCard machine={machine} />
          <AttributesCard machine={machine} />
        </div>
        <div className="lg:col-span-2 xl:col-span-3">
          <PeersCard machine={machine} />
        </div>
      </div>
    </Page>
  );
}

function Unknown() {
  return (
    <Notice
      icon={<SearchX />}
      title="This machine is not in your network"
      action={
        <Link to="/machines" className={buttonClass("quiet")}>
          All machines
        </Link>
      }
    >
      It may have been deleted, or it belongs to another organisation.
    </Notice>
  );
}

function MachineSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="mx-auto grid w-full max-w-[84rem] gap-4 px-4 py-7 sm:px-7 lg:grid-cols-2 xl:grid-cols-3">
      <Skeleton className="h-10 lg:col-span-2 xl:col-span-3" />
      {[0, 1, 2].map((i) => (
        <Skeleton key={i} className="h-72" />
      ))}
    </div>
  );
}
