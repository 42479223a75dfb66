import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Copy, Plus, ShieldPlus } from "lucide-react";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { orgSettingsQuery } from "@/api/org-settings";
import { changeRow, removeRow } from "@/api/rows";
import type { OnFail, PostureMode, PosturePolicy } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { SwitchedControls } from "@/components/item-controls";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { UnknownNames } from "@/components/unknown-names";
import { useChannels } from "@/realtime/provider";
import { PolicyDrawer } from "./policy-drawer";
import { isTemplate, posturePoliciesQuery } from "./queries";
import { requirementsOf } from "./requirements";

const modes: Record<PostureMode, { label: string; hint: string }> = {
  disabled: { label: "Disabled", hint: "Reports are kept, nothing is judged." },
  monitor: { label: "Monitor", hint: "Machines are judged and warned, never cut off." },
  enforce: { label: "Enforce", hint: "What fails after its grace is dealt with as its policy says." },
};

/** What healthy means here, and what happens to machines that are not. */
export function PoliciesPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("posture");
  const query = useQuery(posturePoliciesQuery(org.id));
  const [opened, setOpened] = useState<PosturePolicy | "new" | null>(null);
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setOpened("new")}>
      <Plus /> Create Policy
    </Button>
  );
  return (
    <Page title="Posture policies" subtitle="What a healthy machine is, and what happens to others." actions={add}>
      <ModeCard />
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
                      <OwnPolicy policy={policy} onEdit={() => setOpened(policy)} />
                    </li>
                  ))}
                </ul>
              ) : (
                <Notice icon={<ShieldPlus />} title="No policy yet" action={add}>
                  {isAdmin ? "Write one, or copy a template from below." : "An administrator has not written one yet."}
                </Notice>
              )}
              {templates.length > 0 && <Templates templates={templates} />}
            </div>
          );
        }}
      </QueryView>
      {opened && <PolicyDrawer policy={opened === "new" ? null : opened} onClose={() => setOpened(null)} />}
    </Page>
  );
}

function ModeCard() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const { data: settings } = useQuery(orgSettingsQuery(org.id));
  const mode = settings?.posture_enforcement;
  const [asked, setAsked] = useState<PostureMode | null>(null);
  async function change(next: PostureMode) {
    await act("org-management", "update_org_settings", { org_id: org.id, posture_enforcement: next });
    await Promise.all(["org_settings", "posture_reports", "machines"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
    toast.done(`Posture mode: ${modes[next].label.toLowerCase()}`);
  }
  return (
    <Card title="Mode" className="mb-5">
      <div role="radiogroup" aria-label="Posture mode" className="grid gap-2 sm:grid-cols-3">
        {(Object.keys(modes) as PostureMode[]).map((value) => (
          <label
            key={value}
            className="cursor-pointer rounded-xl border border-line px-3.5 py-2.5 has-checked:border-accent has-checked:bg-accent-soft has-disabled:cursor-default has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="posture-mode"
              className="sr-only"
              checked={mode === value}
              disabled={!isAdmin || mode === undefined}
              onChange={() => (value === "enforce" ? setAsked(value) : void change(value).catch((error: unknown) => toast.failed(messageOf(error))))}
            />
            <span className="block font-medium">{modes[value].label}</span>
            <span className="block text-[0.83rem] text-muted">{modes[value].hint}</span>
          </label>
        ))}
      </div>
      {asked && (
        <Confirm title="Enforce the posture policies?" action="Enforce" onClose={() => setAsked(null)} onConfirm={() => change(asked)}>
          Machines that fail a policy after its grace are restricted or quarantined as it says. The page Device posture shows which fail now.
        </Confirm>
      )}
    </Card>
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

function OwnPolicy({ policy, onEdit }: { policy: PosturePolicy; onEdit: () => void }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const [removing, setRemoving] = useState(false);
  const refresh = () => Promise.all(["posture_policies", "posture_reports"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
  const turn = useMutation({
    mutationFn: (enabled: boolean) => changeRow("posture_policies", org.id, policy.id, { enabled }),
    onSuccess: async (_, enabled) => {
      await refresh();
      toast.done(enabled ? "Policy enabled" : "Policy disabled");
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
  return (
    <article aria-label={`Policy ${policy.name}`} className="rounded-2xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-center gap-2">
        <h2 className="min-w-0 font-semibold break-words">{policy.name}</h2>
        {!policy.enabled && <Badge>Disabled</Badge>}
        <UnknownNames names={policy.unresolved} />
        {isAdmin && (
          <span className="ml-auto flex items-center gap-1">
            <SwitchedControls name={policy.name} enabled={policy.enabled} busy={turn.isPending} onEdit={onEdit} onDelete={() => setRemoving(true)} onSwitch={(enabled) => turn.mutate(enabled)} />
          </span>
        )}
      </header>
      <Summary policy={policy} />
      {removing && (
        <Confirm
          title={`Delete ${policy.name}?`}
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await removeRow("posture_policies", org.id, policy.id);
            await refresh();
            toast.done("Policy deleted");
          }}
        >
          Machines that only it holds in quarantine are released.
        </Confirm>
      )}
    </article>
  );
}

function Templates({ templates }: { templates: PosturePolicy[] }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const copy = useMutation({
    mutationFn: (template: PosturePolicy) => act("posture", "from_template", { org_id: org.id, template_id: template.id }),
    onSuccess: async (_, { name }) => {
      await client.invalidateQueries({ queryKey: orgKey(org.id, "posture_policies") });
      toast.done(`${name} copied`);
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
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
              <Button size="sm" className="mt-3 self-start" disabled={copy.isPending} onClick={() => copy.mutate(template)}>
                <Copy /> Copy
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
