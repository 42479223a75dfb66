import { useQuery } from "@tanstack/react-query";
import { Copy, Plus, ShieldPlus } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import type { OnFail, PosturePolicy } from "@/api/tables";
import { SwitchedControls } from "@/components/item-controls";
import { Page } from "@/components/page";
import { OpenPlans } from "@/components/plans/open-plans";
import { PlannedChange, type Planned } from "@/components/plans/planned-change";
import { deleting, saving, switching, type Opened } from "@/components/plans/row-changes";
import { Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { UnknownNames } from "@/components/unknown-names";
import { useChannels } from "@/realtime/provider";
import { ModeCard } from "./mode-card";
import { draftOf, policyValues } from "./policy-draft";
import { PolicyDrawer } from "./policy-drawer";
import { isTemplate, posturePoliciesQuery } from "./queries";
import { requirementsOf } from "./requirements";

/** What healthy means here, and what happens to machines that are not. */
export function PoliciesPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("posture");
  const query = useQuery(posturePoliciesQuery(org.id));
  const [opened, setOpened] = useState<Opened<PosturePolicy>>(null);
  const close = () => setOpened(null);
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setOpened({ form: null })}>
      <Plus /> Create Policy
    </Button>
  );
  return (
    <Page title="Posture policies" subtitle="What a healthy machine is, and what happens to others." actions={add}>
      <OpenPlans />
      <ModeCard onPlan={(plan) => setOpened({ plan })} />
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-24" />}>
        {(policies) => {
          const own = policies.filter((policy) => !isTemplate(policy));
          const templates = policies.filter(isTemplate);
          return (
            <div className="grid gap-6">
              {own.length > 0 ? (
                <ul className="grid gap-3">
                  {own.map((policy) => (
                    <li key={policy.id}>
                      <OwnPolicy policy={policy} onOpen={setOpened} />
                    </li>
                  ))}
                </ul>
              ) : (
                <Notice icon={<ShieldPlus />} title="No policy yet" action={add}>
                  {isAdmin ? "Write one, or copy a template from below." : "An administrator has not written one yet."}
                </Notice>
              )}
              {templates.length > 0 && <Templates templates={templates} onPlan={(plan) => setOpened({ plan })} />}
            </div>
          );
        }}
      </QueryView>
      {opened && "form" in opened && <PolicyDrawer policy={opened.form} onClose={close} />}
      {opened && "plan" in opened && <PlannedChange {...opened.plan} onClose={close} />}
    </Page>
  );
}

const outcomes: Record<OnFail, string> = { warn: "warns", restrict: "restricts", quarantine: "quarantines" };

function Summary({ policy }: { policy: PosturePolicy }) {
  const scope = [...(policy.scope.tags ?? []).map((tag) => `tag:${tag}`), ...(policy.scope.groups ?? []).map((group) => `group:${group}`)];
  return (
    <>
      {policy.description && <p className="text-[0.87rem] text-pretty text-muted">{policy.description}</p>}
      <ul aria-label="Requires" className="mt-2 flex flex-wrap gap-1.5">
        {requirementsOf(policy).map((text) => (
          <li key={text}>
            <Badge colour="blue">{text}</Badge>
          </li>
        ))}
      </ul>
      <p className="mt-2 text-[0.83rem] text-muted">
        {scope.length > 0 ? <span className="font-mono text-[0.78rem]">{scope.join(", ")}</span> : "All machines"}; {outcomes[policy.on_fail]}
        {policy.grace_period_min > 0 ? ` after ${policy.grace_period_min} min` : " at once"}
      </p>
    </>
  );
}

function OwnPolicy({ policy, onOpen }: { policy: PosturePolicy; onOpen: (opened: Opened<PosturePolicy>) => void }) {
  const isAdmin = useIsAdmin();
  return (
    <article aria-label={`Policy ${policy.name}`} className="rounded-2xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-center gap-2">
        <h2 className="min-w-0 font-semibold break-words">{policy.name}</h2>
        {!policy.enabled && <Badge>Disabled</Badge>}
        <UnknownNames names={policy.unresolved} />
        {isAdmin && (
          <span className="ml-auto flex items-center gap-1">
            <SwitchedControls
              name={policy.name}
              enabled={policy.enabled}
              onEdit={() => onOpen({ form: policy })}
              onDelete={() => onOpen({ plan: { ...deleting("posture_policies", policy), note: "Machines that only it holds in quarantine are released." } })}
              onSwitch={(enabled) => onOpen({ plan: switching("posture_policies", policy, enabled) })}
            />
          </span>
        )}
      </header>
      <Summary policy={policy} />
    </article>
  );
}

function Templates({ templates, onPlan }: { templates: PosturePolicy[]; onPlan: (plan: Planned) => void }) {
  const isAdmin = useIsAdmin();
  return (
    <section aria-labelledby="templates">
      <h2 id="templates" className="mb-2.5 font-semibold tracking-tight">
        Templates
      </h2>
      <ul className="grid gap-3 lg:grid-cols-3">
        {templates.map((template) => (
          <li key={template.id} className="flex flex-col rounded-2xl border border-dashed border-line-strong p-4">
            <h3 className="flex flex-wrap items-center gap-2 font-semibold">
              {template.name} <Badge outlined>read-only</Badge>
            </h3>
            <Summary policy={template} />
            {isAdmin && (
              <Button size="sm" className="mt-3 self-start" aria-label={`Copy ${template.name}`} onClick={() => onPlan(copying(template))}>
                <Copy /> Copy
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function copying(template: PosturePolicy): Planned {
  const values = { ...policyValues(draftOf(template)), enabled: true };
  return { title: `Copy ${template.name}`, action: "Copy", changes: () => saving("posture_policies", null, values), done: `${template.name} copied` };
}
