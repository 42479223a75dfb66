import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import { changeRow, removeRow } from "@/api/rows";
import type { AbacPolicy } from "@/api/tables";
import { Confirm } from "@/components/confirm";
import { EndChips, useEndNames, type EndNames } from "@/components/end-chips";
import { SwitchedControls } from "@/components/item-controls";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { UnknownNames } from "@/components/unknown-names";
import { useChannels } from "@/realtime/provider";
import { attributesText } from "./policy-draft";
import { PolicyDrawer } from "./policy-drawer";

function abacQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "abac_policies", narrowedBy({ name: true })),
    queryFn: ({ signal }) => from("abac_policies").in(orgId).order("priority").limit(1000).rows(signal),
  });
}

/** What an allowed connection must hold besides, whichever rule allows it. */
export function AttributesPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl");
  const query = useQuery(abacQuery(org.id));
  const names = useEndNames();
  const [opened, setOpened] = useState<AbacPolicy | "new" | null>(null);
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setOpened("new")}>
      <Plus /> Add policy
    </Button>
  );
  return (
    <Page title="Attribute policies" subtitle="Held against every connection that a rule allows. They only ever take access away." actions={add}>
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-24" />}>
        {(policies) =>
          policies.length > 0 ? (
            <ul className="grid gap-3">
              {policies.map((policy) => (
                <li key={policy.id}>
                  <PolicyCard policy={policy} names={names} onEdit={() => setOpened(policy)} />
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
      {opened && <PolicyDrawer policy={opened === "new" ? null : opened} names={names} onClose={() => setOpened(null)} />}
    </Page>
  );
}

function PolicyCard({ policy, names, onEdit }: { policy: AbacPolicy; names: EndNames; onEdit: () => void }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const [removing, setRemoving] = useState(false);
  const refresh = () => Promise.all(["abac_policies", "evaluation"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
  const turn = useMutation({
    mutationFn: (enabled: boolean) => changeRow("abac_policies", org.id, policy.id, { enabled }),
    onSuccess: async (_, enabled) => {
      await refresh();
      toast.done(enabled ? "Policy enabled" : "Policy disabled");
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
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
            <SwitchedControls name={policy.name} enabled={policy.enabled} busy={turn.isPending} onEdit={onEdit} onDelete={() => setRemoving(true)} onSwitch={(enabled) => turn.mutate(enabled)} />
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
      {removing && (
        <Confirm
          title={`Delete ${policy.name}?`}
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await removeRow("abac_policies", org.id, policy.id);
            await refresh();
            toast.done("Policy deleted");
          }}
        >
          Connections that only it forbids are allowed again within a second.
        </Confirm>
      )}
    </article>
  );
}
