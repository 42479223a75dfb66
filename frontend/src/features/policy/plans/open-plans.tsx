import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Hourglass } from "lucide-react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { buttonClass } from "@/components/ui/button";
import { Trial } from "./trial";
import { openPlansQuery } from "./queries";

/** What waits for somebody: changes on trial, and changes that need a second administrator. */
export function OpenPlans() {
  const { org } = useCurrentOrg();
  const { data: plans = [] } = useQuery({ ...openPlansQuery(org.id), enabled: useIsAdmin() });
  return plans.map(({ plan_id, status, confirm_by, note }) => (
    <section key={plan_id} aria-label="Open change" className="mb-4 rounded-2xl border border-yellow bg-yellow-soft px-4 py-3 text-ink">
      {status === "awaiting_confirmation" && confirm_by ? (
        <Trial planId={plan_id} confirmBy={confirm_by} />
      ) : (
        <div className="flex flex-wrap items-center gap-3">
          <Hourglass className="size-4.5 text-yellow" aria-hidden />
          <p className="min-w-0 flex-1">{status === "approved" ? "A change is approved and can be applied." : "A change waits for a second administrator."} {note}</p>
          <Link to="/acls/plans/$planId" params={{ planId: plan_id }} className={buttonClass("quiet", "sm")}>
            Look at it
          </Link>
        </div>
      )}
    </section>
  ));
}
