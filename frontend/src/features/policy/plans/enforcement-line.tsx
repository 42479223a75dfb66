import { useQuery } from "@tanstack/react-query";
import { useCurrentOrg } from "@/api/current-org";
import { Dot } from "@/components/ui/badge";
import { duration, plural } from "@/lib/time";
import { enforcementQuery } from "@/components/plans/queries";

/** How far the newest policy has come, and how long such a change takes. */
export function EnforcementLine() {
  const { org } = useCurrentOrg();
  const { data } = useQuery(enforcementQuery(org.id));
  if (!data) return "Who may reach whom, and when.";
  const { agents_total: total, acknowledged, p50_ms: half, p99_ms: nearlyAll, pending } = data;
  const complete = acknowledged >= total;
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2" title={pending.length > 0 ? `Waiting for ${pending.map(({ name }) => name).join(", ")}` : undefined}>
      <Dot colour={complete ? "green" : "yellow"} pulse={!complete} />
      <span>{total === 0 ? "No machine had to change for it" : complete ? `In force on ${total === 1 ? "the" : "all"} ${plural(total, "online machine")}` : `In force on ${acknowledged} of ${plural(total, "machine")}`}</span>
      {half !== null && nearlyAll !== null && (
        <span className="tabular-nums">
          after {duration(half)}, 99 % within {duration(nearlyAll)}
        </span>
      )}
    </span>
  );
}
