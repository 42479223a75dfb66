import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CircleCheck, Clock } from "lucide-react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { Machine } from "@/api/tables";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { toast } from "@/components/ui/toast";
import { actOnMachine } from "../queries";

type Verdict = "approve_routes" | "reject_routes" | "approve_exit_node" | "reject_exit_node";

/** What the machine offers to carry for others, and whether that was approved. */
export function RoutesCard({ machine }: { machine: Machine }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const decide = useMutation({
    mutationFn: (verdict: Verdict) => actOnMachine(org.id, machine.id, verdict),
    onSuccess: () => client.invalidateQueries({ queryKey: orgKey(org.id, "machines") }),
    onError: (error) => toast.failed(messageOf(error)),
  });
  const { advertised_routes: advertised, approved_routes: approved } = machine;
  const waiting = advertised.some((route) => !approved.includes(route));
  if (advertised.length === 0 && !machine.advertise_exit_node) return null;
  return (
    <Card title="Subnets">
      <ul className="grid gap-2">
        {advertised.map((route) => (
          <li key={route} className="flex items-center justify-between gap-3">
            <code className="font-mono text-[0.85rem]">{route}</code>
            <Approval approved={approved.includes(route)} />
          </li>
        ))}
        {machine.advertise_exit_node && (
          <li className="flex items-center justify-between gap-3">
            Exit node
            <Approval approved={machine.exit_node_approved} />
          </li>
        )}
      </ul>
      {isAdmin && (
        <div className="mt-4 flex flex-wrap gap-2">
          {waiting && (
            <>
              <Button size="sm" tone="primary" busy={decide.isPending} onClick={() => decide.mutate("approve_routes")}>
                Approve All
              </Button>
              <Button size="sm" disabled={decide.isPending} onClick={() => decide.mutate("reject_routes")}>
                Reject All
              </Button>
            </>
          )}
          {machine.advertise_exit_node && (
            <Button
              size="sm"
              disabled={decide.isPending}
              onClick={() => decide.mutate(machine.exit_node_approved ? "reject_exit_node" : "approve_exit_node")}
            >
              {machine.exit_node_approved ? "Withdraw exit node" : "Approve exit node"}
            </Button>
          )}
        </div>
      )}
    </Card>
  );
}

function Approval({ approved }: { approved: boolean }) {
  return approved ? (
    <Badge colour="green">
      <CircleCheck /> Approved
    </Badge>
  ) : (
    <Badge colour="yellow">
      <Clock /> Pending
    </Badge>
  );
}
