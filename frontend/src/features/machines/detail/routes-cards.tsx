import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, Clock, X } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { Machine } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { Command } from "@/components/copy";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { toast } from "@/components/ui/toast";
import { actOnMachine } from "../queries";
import { pendingRoutes } from "../status";

interface Props {
  machine: Machine;
  /** The organisation's switch; undefined while it is being read. */
  allowed: boolean | undefined;
}

interface Decision {
  action: "approve_routes" | "reject_routes" | "approve_exit_node" | "reject_exit_node";
  routes?: string[];
  done: string;
}

/** Decides on what a machine offers, and reads it again. */
function useDecision(machine: Machine) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ action, routes }: Decision) => actOnMachine(org.id, machine.id, action, routes && { routes }),
    onSuccess: (_, { done }) => {
      toast.done(done);
      return client.invalidateQueries({ queryKey: orgKey(org.id, "machines") });
    },
  });
}

const tellFailure = { onError: (error: unknown) => toast.failed(messageOf(error)) };

/** The networks behind a machine: offered by it, in force once an administrator has approved them. */
export function SubnetsCard({ machine, allowed }: Props) {
  const isAdmin = useIsAdmin();
  const decide = useDecision(machine);
  const pending = pendingRoutes(machine);
  const all = isAdmin && pending.length > 1 && (
    <div className="flex gap-2">
      <Button size="sm" disabled={decide.isPending} onClick={() => decide.mutate({ action: "reject_routes", done: "Routes rejected" }, tellFailure)}>
        Reject all
      </Button>
      <Button
        size="sm"
        tone="primary"
        disabled={decide.isPending || allowed === false}
        onClick={() => decide.mutate({ action: "approve_routes", done: "Routes approved" }, tellFailure)}
      >
        Approve all
      </Button>
    </div>
  );
  return (
    <Card title="Subnets" actions={all}>
      {allowed === false && <SwitchedOff what="Subnet routing" />}
      {machine.advertised_routes.length === 0 ? (
        <div className="grid gap-2">
          <p className="text-muted">It offers no network behind it. On the machine:</p>
          <Command text="sudo ztna set --advertise-routes 192.168.1.0/24" />
        </div>
      ) : (
        <ul className="divide-y divide-line">
          {machine.advertised_routes.map((route) => (
            <RouteRow key={route} machine={machine} route={route} approved={!pending.includes(route)} allowed={allowed} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function RouteRow({ machine, route, approved, allowed }: Props & { route: string; approved: boolean }) {
  const decide = useDecision(machine);
  const [withdrawing, setWithdrawing] = useState(false);
  const reject: Decision = { action: "reject_routes", routes: [route], done: `${route} ${approved ? "withdrawn" : "rejected"}` };
  return (
    <li className="flex items-center gap-3 py-2 first:pt-0 last:pb-0">
      <span className="flex min-w-0 flex-1 flex-wrap items-center gap-2">
        <code className="font-mono text-[0.82rem] break-all">{route}</code>
        <Standing approved={approved} />
      </span>
      <Decide
        what={route}
        approved={approved}
        busy={decide.isPending}
        allowed={allowed}
        onApprove={() => decide.mutate({ action: "approve_routes", routes: [route], done: `${route} approved` }, tellFailure)}
        onReject={() => (approved ? setWithdrawing(true) : decide.mutate(reject, tellFailure))}
      />
      {withdrawing && (
        <Confirm title={`Withdraw ${route}?`} action="Withdraw" onClose={() => setWithdrawing(false)} onConfirm={() => decide.mutateAsync(reject)}>
          Nobody reaches {route} through {machine.name} any more. The machine may offer it again.
        </Confirm>
      )}
    </li>
  );
}

/** Whether a machine may carry the internet traffic of others. */
export function ExitNodeCard({ machine, allowed }: Props) {
  const decide = useDecision(machine);
  const [withdrawing, setWithdrawing] = useState(false);
  const approved = machine.exit_node_approved;
  const reject: Decision = { action: "reject_exit_node", done: approved ? "Exit node withdrawn" : "Exit node rejected" };
  return (
    <Card title="Exit Node">
      {allowed === false && <SwitchedOff what="The use of exit nodes" />}
      {machine.advertise_exit_node ? (
        <div className="flex items-center gap-3">
          <span className="flex min-w-0 flex-1 flex-wrap items-center gap-2">
            <span>Carries the internet traffic of others</span>
            <Standing approved={approved} />
          </span>
          <Decide
            what="the exit node"
            approved={approved}
            busy={decide.isPending}
            allowed={allowed}
            onApprove={() => decide.mutate({ action: "approve_exit_node", done: "Exit node approved" }, tellFailure)}
            onReject={() => (approved ? setWithdrawing(true) : decide.mutate(reject, tellFailure))}
          />
        </div>
      ) : (
        <p className="text-muted">It does not offer to carry others&rsquo; internet traffic.</p>
      )}
      {withdrawing && (
        <Confirm title={`Withdraw ${machine.name} as an exit node?`} action="Withdraw" onClose={() => setWithdrawing(false)} onConfirm={() => decide.mutateAsync(reject)}>
          Machines that send their traffic through it lose the internet until they choose another one. The machine may offer itself again.
        </Confirm>
      )}
    </Card>
  );
}

function Standing({ approved }: { approved: boolean }) {
  return approved ? (
    <Badge colour="green">
      <Check /> Approved
    </Badge>
  ) : (
    <Badge colour="yellow">
      <Clock /> Pending
    </Badge>
  );
}

interface DecideProps {
  what: string;
  approved: boolean;
  busy: boolean;
  allowed: boolean | undefined;
  onApprove: () => void;
  onReject: () => void;
}

function Decide({ what, approved, busy, allowed, onApprove, onReject }: DecideProps) {
  if (!useIsAdmin()) return null;
  const refusal = approved ? "Withdraw" : "Reject";
  return (
    <span className="flex gap-2">
      <Button size="sm" disabled={busy} onClick={onReject} aria-label={`${refusal} ${what}`} title={refusal}>
        <X />
      </Button>
      {!approved && (
        <Button size="sm" tone="primary" disabled={busy || allowed === false} onClick={onApprove} aria-label={`Approve ${what}`} title="Approve">
          <Check />
        </Button>
      )}
    </span>
  );
}

function SwitchedOff({ what }: { what: string }) {
  return (
    <p className="mb-3 rounded-lg bg-yellow-soft px-3 py-2 text-[0.85rem] text-yellow">
      {what} is off in this organisation: nothing of this is in force.{" "}
      <Link to="/settings" className="rounded underline">
        Settings
      </Link>
    </p>
  );
}
