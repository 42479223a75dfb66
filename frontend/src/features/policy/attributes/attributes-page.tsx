import { useQuery } from "@tanstack/react-query";
import { Plus, SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import type { AbacPolicy } from "@/api/tables";
import { EndChips, useEndNames, type EndNames } from "@/components/end-chips";
import { SwitchedControls } from "@/components/item-controls";
import { Page } from "@/components/page";
import { OpenPlans } from "@/components/plans/open-plans";
import { PlannedChange } from "@/components/plans/planned-change";
import { deleting, switching, type Opened } from "@/components/plans/row-changes";
import { Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { UnknownNames } from "@/components/unknown-names";
import { useChannels } from "@/realtime/provider";
import { attributesText } from "./policy-draft";
import { PolicyDrawer } from "./policy-drawer";
import { abacQuery } from "./queries";

/** What an allowed connection must hold besides, whichever rule allows it. */
export function AttributesPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl");
  const query = useQuery(abacQuery(org.id));
  const names = useEndNames();
  const [opened, setOpened] = useState<Opened<AbacPolicy>>(null);
  const close = () => setOpened(null);
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setOpened({ form: null })}>
      <Plus /> Add policy
    </Button>
  );
  return (
    <Page title="Attribute policies" subtitle="Held against every connection that a rule allows. They only ever take access away." actions={add}>
      <OpenPlans />
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-24" />}>
        {(policies) =>
          policies.length > 0 ? (
            <ul className="grid gap-3">
              {policies.map((policy) => (
                <li key={policy.id}>
                  <PolicyCard policy={policy} names={names} onOpen={setOpened} />
                </li>
              ))}
            </ul>
          ) : (
            <Notice icon={<SlidersHorizontal />} title="No attribute policy yet" action={add}>
              Say once what holds everywhere: only in office hours, only from these countries, only from healthy machines.
            </Notice>
          )
        }
      </QueryView>
      {opened && "form" in opened && <PolicyDrawer policy={opened.form} names={names} onClose={close} />}
      {opened && "plan" in opened && <PlannedChange {...opened.plan} onClose={close} />}
    </Page>
  );
}

function PolicyCard({ policy, names, onOpen }: { policy: AbacPolicy; names: EndNames; onOpen: (opened: Opened<AbacPolicy>) => void }) {
  const isAdmin = useIsAdmin();
  const requires = policy.effect === "require";
  return (
    <article aria-label={`Policy ${policy.name}`} className="rounded-2xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-center gap-2">
        <h2 className="min-w-0 font-semibold break-words">{policy.name}</h2>
        <Badge colour={requires ? "blue" : "red"}>{policy.effect}</Badge>
        {!policy.enabled && <Badge>Disabled</Badge>}
        <UnknownNames names={policy.unresolved} />
        {isAdmin && (
          <span className="ml-auto flex items-center gap-1">
            <SwitchedControls
              name={policy.name}
              enabled={policy.enabled}
              onEdit={() => onOpen({ form: policy })}
              onDelete={() => onOpen({ plan: deleting("abac_policies", policy) })}
              onSwitch={(enabled) => onOpen({ plan: switching("abac_policies", policy, enabled) })}
            />
          </span>
        )}
      </header>
      <div className="mt-2 flex flex-wrap items-center gap-x-2.5 gap-y-1.5">
        <EndChips end={policy.selector} names={names} unresolved={policy.unresolved} />
        <span className="text-[0.85rem] text-muted">{requires ? "must be" : "must not be"}</span>
        <ul className="contents" aria-label="Attributes">
          {attributesText(policy.conditions).map((text) => (
            <li key={text} className="rounded-full bg-accent-soft px-2.25 py-0.5 text-[0.77rem] text-accent">
              {text}
            </li>
          ))}
        </ul>
      </div>
    </article>
  );
}
