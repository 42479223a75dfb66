import { useMutation, useQuery } from "@tanstack/react-query";
import { Plus, SearchX, ShieldCheck, TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgSettingsQuery } from "@/api/org-settings";
import type { AclRule } from "@/api/tables";
import { useEndNames } from "@/components/end-chips";
import { Page } from "@/components/page";
import { OpenPlans } from "@/components/plans/open-plans";
import { PlannedChange } from "@/components/plans/planned-change";
import { actOnPolicy, useRefreshPolicy } from "@/components/plans/queries";
import { deleting, switching, type Opened } from "@/components/plans/row-changes";
import { Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { Tabs } from "@/components/ui/tabs";
import { toast } from "@/components/ui/toast";
import { withNames } from "@/lib/selectors";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { TestPanel } from "../evaluate/test-panel";
import { EnforcementLine } from "../plans/enforcement-line";
import { noFilters, RuleFilters } from "./filters";
import { JsonTab } from "./json-tab";
import { rulesQuery } from "./queries";
import type { RuleActions } from "./rule-card";
import { RuleDrawer } from "./rule-drawer";
import { RuleList } from "./rule-list";
import { isNarrowed, narrowed, type RuleSearch, type RuleTab } from "./rule-search";

interface Props {
  search: RuleSearch;
  onSearch: (change: RuleSearch) => void;
}

/** Who may reach whom: the rules, what they mean for two machines, and the way to change them. */
export function RulesPage({ search, onSearch }: Props) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl", "posture", "machines");
  const query = useQuery(rulesQuery(org.id));
  const names = useEndNames();
  const [opened, setOpened] = useState<Opened<AclRule>>(null);
  const close = () => setOpened(null);
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setOpened({ form: null })}>
      <Plus /> Add Rule
    </Button>
  );
  return (
    <Page title="Access rules" subtitle={<EnforcementLine />} actions={add}>
      <OpenPlans />
      <OpenByDefault />
      <Tabs<RuleTab>
        label="Access rules"
        value={search.tab ?? "rules"}
        onChange={(tab) => onSearch({ tab: tab === "json" ? tab : undefined })}
        tabs={[
          {
            value: "rules",
            label: "Rules",
            content: (
              <>
                <TestPanel />
                <RuleFilters search={search} onSearch={onSearch} />
                <QueryView query={query} skeleton={<SkeletonLines count={6} className="[&>*]:h-22" />}>
                  {(rules) => <Rules rules={rules} names={names} search={search} onSearch={onSearch} onOpen={setOpened} />}
                </QueryView>
              </>
            ),
          },
          {
            value: "json",
            label: "JSON",
            content: (
              <QueryView query={query} skeleton={<SkeletonLines count={8} />}>
                {(rules) => <JsonTab rules={rules} fileName={`${org.slug}-rules.json`} />}
              </QueryView>
            ),
          },
        ]}
      />
      {opened && "form" in opened && <RuleDrawer rule={opened.form} names={names} onClose={close} />}
      {opened && "plan" in opened && <PlannedChange {...opened.plan} onClose={close} />}
    </Page>
  );
}

interface RulesProps extends Props {
  rules: AclRule[];
  names: ReturnType<typeof useEndNames>;
  onOpen: (opened: Opened<AclRule>) => void;
}

function Rules({ rules, names, search, onSearch, onOpen }: RulesProps) {
  const isAdmin = useIsAdmin();
  const move = useMove();
  const filtered = isNarrowed(search);
  const shown = useMemo(() => narrowed(rules, search, (end) => withNames(end, names.machine)), [rules, search, names]);
  const actions: RuleActions = {
    onEdit: (rule) => onOpen({ form: rule }),
    onDelete: (rule) => onOpen({ plan: deleting("acl_rules", rule) }),
    onSwitch: (rule, enabled) => onOpen({ plan: switching("acl_rules", rule, enabled, { revision: rule.revision }) }),
    onMove: filtered ? undefined : (rule, direction) => move.mutate({ rule, direction }),
  };
  if (rules.length === 0) {
    return (
      <Notice
        icon={<ShieldCheck />}
        title="No rule: nobody reaches anybody"
        action={
          isAdmin && (
            <Button tone="primary" onClick={() => onOpen({ form: null })}>
              <Plus /> Add Rule
            </Button>
          )
        }
      >
        What no rule allows is denied. Machines are connected and see no open port of each other until you add a rule.
      </Notice>
    );
  }
  if (shown.length === 0) {
    return (
      <Notice icon={<SearchX />} title="No rule matches" action={<Button onClick={() => onSearch(noFilters)}>Clear filters</Button>}>
        Other rules are hidden by the search and filters above.
      </Notice>
    );
  }
  return (
    <>
      <RuleList rules={shown} names={names} actions={isAdmin ? actions : undefined} />
      <p className="mt-3 text-[0.83rem] text-muted" aria-live="polite">
        {filtered ? `${plural(shown.length, "rule")} of ${rules.length} shown.` : "Judged from the top; the first that matches decides. What no rule allows is denied."}
      </p>
    </>
  );
}

function useMove() {
  const { org } = useCurrentOrg();
  const refresh = useRefreshPolicy(org.id);
  return useMutation({
    mutationFn: ({ rule, direction }: { rule: AclRule; direction: "up" | "down" }) => actOnPolicy(org.id, "reorder", { rule_id: rule.id, direction }),
    onError: (error) => toast.refused(error),
    onSettled: refresh,
  });
}

/** Stands as long as what no rule names is allowed. */
function OpenByDefault() {
  const { org } = useCurrentOrg();
  const { data } = useQuery(orgSettingsQuery(org.id));
  if (data?.default_deny !== false) return null;
  return (
    <p role="alert" className="mb-4 flex gap-2.5 rounded-xl bg-orange-soft px-4 py-3 text-orange">
      <TriangleAlert className="mt-0.5 size-4.5 shrink-0" aria-hidden />
      This network is open by default: what no rule denies is allowed. Switch default deny on in the settings.
    </p>
  );
}
