import { useMutation, useQuery } from "@tanstack/react-query";
import { useCurrentOrg, useIsAdmin, useMayInspect } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { membersQuery } from "@/api/members";
import { BackLink } from "@/components/back-link";
import { FormFailure } from "@/components/confirm";
import { Page } from "@/components/page";
import { Forbidden, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Badge, type Colour } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, Fact, Facts } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { useChannels } from "@/realtime/provider";
import { PlanReport } from "@/components/plans/plan-report";
import { actOnPolicy, planQuery, useRefreshPolicy } from "@/components/plans/queries";
import { waitsForApproval, type StoredPlan } from "@/components/plans/report";
import { Trial } from "@/components/plans/trial";

const colours: Record<string, Colour> = { applied: "green", awaiting_confirmation: "yellow", awaiting_approval: "yellow", approved: "blue", ready: "blue", scheduled: "blue", rolled_back: "red", failed: "red" };

/** One planned change: what it would do, and what can be done with it. */
export function PlanPage({ planId }: { planId: string }) {
  if (!useMayInspect()) return <Forbidden />;
  return <Plan planId={planId} />;
}

function Plan({ planId }: { planId: string }) {
  const { org } = useCurrentOrg();
  useChannels("acl");
  const query = useQuery(planQuery(org.id, planId));
  return (
    <Page
      title="Planned change"
      subtitle={query.data?.note ?? "What it would do, before it does it."}
      back={
        <BackLink to="/acls">Access rules</BackLink>
      }
    >
      <QueryView query={query} skeleton={<Skeleton className="h-96" />}>
        {(plan) => (
          <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
            <Card title="Effect">
              <PlanReport plan={plan} />
            </Card>
            <State plan={plan} />
          </div>
        )}
      </QueryView>
    </Page>
  );
}

function State({ plan }: { plan: StoredPlan }) {
  const { org } = useCurrentOrg();
  const { data: members } = useQuery(membersQuery(org.id));
  const who = (id: string | null) => members?.find((member) => member.user_id === id)?.email ?? "–";
  const state = waitsForApproval(plan) ? "awaiting_approval" : plan.status;
  return (
    <Card title="State" actions={<Badge colour={colours[state] ?? "grey"}>{state.replaceAll("_", " ")}</Badge>}>
      <Facts>
        <Fact name="Planned by">{who(plan.created_by)}</Fact>
        <Fact name="Planned">
          <Timestamp at={plan.created_at} />
        </Fact>
        <Fact name="Approved by">{who(plan.approved_by)}</Fact>
        <Fact name="Made for version">{plan.base_version}</Fact>
        {plan.status === "scheduled" ? (
          <Fact name="Applied">
            <Timestamp at={plan.activate_at} />
          </Fact>
        ) : (
          <Fact name="Lapses">
            <Timestamp at={plan.expires_at} />
          </Fact>
        )}
      </Facts>
      {plan.failure && <FormFailure text={`It could not be applied at its time: ${plan.failure.message}`} />}
      {useIsAdmin() && <Actions plan={plan} />}
    </Card>
  );
}

const doable: Partial<Record<string, readonly ("approve" | "apply" | "abandon" | "rollback")[]>> = {
  ready: ["apply", "abandon"],
  approved: ["apply", "abandon"],
  awaiting_approval: ["approve", "abandon"],
  scheduled: ["abandon"],
  applied: ["rollback"],
};
const texts = { approve: "Approve", apply: "Apply", abandon: "Abandon", rollback: "Roll back" };
const done = { approve: "Plan approved", apply: "Plan applied", abandon: "Plan abandoned", rollback: "Change rolled back" };

function Actions({ plan }: { plan: StoredPlan }) {
  const { org, user } = useCurrentOrg();
  const refresh = useRefreshPolicy(org.id);
  const run = useMutation({
    mutationFn: (action: keyof typeof texts) => actOnPolicy(org.id, action, { plan_id: plan.plan_id }),
    onSuccess: async (_, action) => {
      toast.done(done[action]);
      await refresh();
    },
  });
  if (plan.status === "awaiting_confirmation" && plan.confirm_by) {
    return (
      <div className="mt-4 border-t border-line pt-4">
        <Trial planId={plan.plan_id} confirmBy={plan.confirm_by} />
      </div>
    );
  }
  const own = plan.created_by === user.id;
  const waits = waitsForApproval(plan);
  const actions = (doable[waits ? "awaiting_approval" : plan.status] ?? []).filter((action) => action !== "approve" || !own);
  return (
    <div className="mt-4 grid gap-2">
      {waits && own && <p className="text-[0.85rem] text-muted">Another administrator must approve your plan.</p>}
      <div className="flex flex-wrap gap-2">
        {actions.map((action, i) => (
          <Button key={action} tone={i === 0 && action !== "rollback" ? "primary" : "quiet"} disabled={run.isPending} onClick={() => run.mutate(action)}>
            {texts[action]}
          </Button>
        ))}
      </div>
      <FormFailure text={run.error ? messageOf(run.error) : null} />
    </div>
  );
}
