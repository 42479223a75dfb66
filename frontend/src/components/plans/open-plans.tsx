import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Hourglass } from "lucide-react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { useChannels } from "@/realtime/provider";
import { buttonClass } from "../ui/button";
import { Timestamp } from "../timestamp";
import { openPlansQuery } from "./queries";
import type { StoredPlan } from "./report";
import { Trial } from "./trial";

/** What waits for somebody: changes on trial, and changes that need a second administrator. */
export function OpenPlans() {
  const { org } = useCurrentOrg();
  useChannels("acl");
  const { data: plans = [] } = useQuery({ ...openPlansQuery(org.id), enabled: useIsAdmin() });
  return plans.map((plan) => (
    <section key={plan.plan_id} aria-label="Open change" className="mb-4 rounded-2xl border border-yellow bg-yellow-soft px-4 py-3 text-ink">
      {plan.status === "awaiting_confirmation" && plan.confirm_by ? (
        <Trial planId={plan.plan_id} confirmBy={plan.confirm_by} />
      ) : (
        <div className="flex flex-wrap items-center gap-3">
          <Hourglass className="size-4.5 text-yellow" aria-hidden />
          <p className="min-w-0 flex-1">
            <Waiting plan={plan} /> {plan.note}
          </p>
          <Link to="/acls/plans/$planId" params={{ planId: plan.plan_id }} className={buttonClass("quiet", "sm")}>
            Look at it
          </Link>
        </div>
      )}
    </section>
  ));
}

function Waiting({ plan: { status, activate_at } }: { plan: StoredPlan }) {
  if (status === "scheduled") {
    return (
      <>
        A change will be applied at <Timestamp at={activate_at} />.
      </>
    );
  }
  return status === "approved" ? "A change is approved and can be applied." : "A change waits for a second administrator.";
}
