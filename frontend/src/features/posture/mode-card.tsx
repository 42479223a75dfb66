import { useQuery } from "@tanstack/react-query";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgSettingsQuery } from "@/api/org-settings";
import type { PostureMode } from "@/api/tables";
import type { Planned } from "@/components/plans/planned-change";
import { QueryView } from "@/components/states";
import { Card } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";

const modes: Record<PostureMode, { label: string; hint: string; title: string; action: string; note: string }> = {
  disabled: { label: "Disabled", hint: "Reports are kept, nothing is judged.", title: "Judge no machine any more?", action: "Disable", note: "Machines that posture holds in quarantine are released." },
  monitor: { label: "Monitor", hint: "Machines are judged and warned, never cut off.", title: "Judge machines, and cut off none?", action: "Monitor", note: "Machines that posture holds in quarantine are released, and those that fail are only warned." },
  enforce: { label: "Enforce", hint: "What fails after its grace is dealt with as its policy says.", title: "Enforce the posture policies?", action: "Enforce", note: "Machines that fail a policy are restricted or quarantined as it says. Those that are offline or in their grace now follow later." },
};

/** Whether machines are judged, and what comes of it. */
export function ModeCard({ onPlan }: { onPlan: (plan: Planned) => void }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("general");
  const settings = useQuery(orgSettingsQuery(org.id));
  return (
    <Card title="Mode" className="mb-5">
      <QueryView query={settings} skeleton={<Skeleton className="h-16" />}>
        {({ posture_enforcement: mode }) => (
          <div role="radiogroup" aria-label="Posture mode" className="grid gap-2 sm:grid-cols-3">
            {(Object.keys(modes) as PostureMode[]).map((value) => (
              <label
                key={value}
                className="cursor-pointer rounded-xl border border-line px-3.5 py-2.5 has-checked:border-accent has-checked:bg-accent-soft has-disabled:cursor-default has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
              >
                <input type="radio" name="posture-mode" className="sr-only" checked={mode === value} disabled={!isAdmin} onChange={() => onPlan(switchingTo(value))} />
                <span className="block font-medium">{modes[value].label}</span>
                <span className="block text-[0.83rem] text-muted">{modes[value].hint}</span>
              </label>
            ))}
          </div>
        )}
      </QueryView>
    </Card>
  );
}

function switchingTo(mode: PostureMode): Planned {
  const { label, title, action, note } = modes[mode];
  return { title, action, note, changes: () => ({ settings: { posture_enforcement: mode } }), done: `Posture mode: ${label.toLowerCase()}` };
}
