import { Link } from "@tanstack/react-router";
import { useCurrentOrg } from "@/api/current-org";
import type { AclRule } from "@/api/tables";
import { Contest, useContested } from "@/components/contested";
import type { EndNames } from "@/components/end-chips";
import { PlannedForm, usePlanning } from "@/components/plans/planned-form";
import { saving } from "@/components/plans/row-changes";
import { Dialog } from "@/components/ui/dialog";
import { useNow } from "@/lib/now";
import { rulesQuery } from "./queries";
import { blankRule, changedValues, draftOf, faultsOf, labels, valuesOf, type RuleDraft } from "./rule-draft";
import { ConditionFields, MainFields, ValidityFields } from "./rule-fields";

interface Props {
  /** The rule to change; null for a new one. */
  rule: AclRule | null;
  names: EndNames;
  onClose: () => void;
}

const SHOWN_AT_FIELDS = ["name", "description", "source", "destination", "protocol", "ports", "priority", "time_hour", "timezone", "source_country", "starts_at", "expires_at"];

export function RuleDrawer({ rule, names, onClose }: Props) {
  const { org } = useCurrentOrg();
  const asDraft = (row: AclRule) => draftOf(row, names.machine);
  const contest = useContested({ opened: rule, query: rulesQuery(org.id), draftOf: asDraft, blank: blankRule });
  const { draft } = contest;
  const planning = usePlanning({
    title: rule ? `Change ${rule.name}` : `Add ${draft.name.trim()}`,
    done: rule ? "Rule updated" : "Rule added",
    faults: faultsOf(draft, useNow()),
    async changes() {
      const seen = await contest.fresh();
      return saving("acl_rules", seen, seen ? { revision: seen.revision, ...changedValues(asDraft(seen), draft) } : valuesOf(draft));
    },
  });
  const fields = {
    draft,
    errorAt: planning.errorAt,
    onChange: (values: Partial<RuleDraft>) => {
      contest.change(values);
      planning.reset();
    },
  };
  return (
    <Dialog as="drawer" title={rule ? "Edit rule" : "Add rule"} description={rule ? <VersionsLink ruleId={rule.id} /> : "Everything that no rule allows is denied."} onClose={onClose}>
      <PlannedForm planning={planning} shownAt={SHOWN_AT_FIELDS} disabled={contest.gone || (rule !== null && !contest.changed)} onClose={onClose}>
        <Contest noun="rule" labels={labels} contest={contest} />
        <MainFields {...fields} />
        <ConditionFields {...fields} open={rule !== null && hasConditions(draft)} />
        <ValidityFields {...fields} open={rule !== null && Boolean(draft.startsAt || draft.expiresAt || draft.description)} />
      </PlannedForm>
    </Dialog>
  );
}

function VersionsLink({ ruleId }: { ruleId: string }) {
  return (
    <Link to="/policy-versions" search={{ tab: "single", rule: ruleId }} className="rounded text-[0.85rem] font-medium text-accent hover:underline">
      Versions of this rule
    </Link>
  );
}

function hasConditions({ from, until, days, countries, systems, posture, pqc }: RuleDraft): boolean {
  return Boolean(from || until || countries || posture || pqc) || days.length > 0 || systems.length > 0;
}
