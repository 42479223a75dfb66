import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import type { AclRule } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import type { EndNames } from "@/components/end-chips";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { useNow } from "@/lib/now";
import { previewFailed } from "@/components/plans/direct";
import { PlanDialog } from "@/components/plans/plan-dialog";
import { planChanges, type Changes } from "@/components/plans/queries";
import { WithoutPreview } from "@/components/plans/without-preview";
import { blankRule, changedValues, draftOf, faultsOf, valuesOf, type RuleDraft } from "./rule-draft";
import { ConditionFields, MainFields, ValidityFields } from "./rule-fields";

interface Props {
  /** The rule to change as it is stored now; null for a new one. */
  rule: AclRule | null;
  /** The rule went away while it was being changed. */
  gone: boolean;
  names: EndNames;
  onClose: () => void;
}

const SHOWN_AT_FIELDS = ["name", "description", "source", "destination", "protocol", "ports", "priority", "time_hour", "timezone", "source_country", "starts_at", "expires_at"];

/** A rule's form. Save asks for the plan first, and the plan is what gets applied. */
export function RuleDrawer({ rule, gone, names, onClose }: Props) {
  const { org } = useCurrentOrg();
  const [seen, setSeen] = useState(rule);
  const [draft, setDraft] = useState<RuleDraft>(() => (rule ? draftOf(rule, names.machine) : blankRule));
  const [tried, setTried] = useState(false);
  const changes: Changes = {
    acl_rules: seen ? { update: [{ id: seen.id, revision: seen.revision, ...changedValues(draftOf(seen, names.machine), draft) }] } : { create: [valuesOf(draft)] },
  };
  const plan = useMutation({ mutationFn: () => planChanges(org.id, changes) });
  const done = seen ? "Rule updated" : "Rule added";
  const faults = faultsOf(draft, useNow());
  const refused = plan.error instanceof ApiError ? plan.error : null;
  const errorAt = (column: string) => (tried ? (faults[column] ?? (refused?.field === column ? refused.message : null)) : null);
  const unchanged = seen !== null && Object.keys(changedValues(draftOf(seen, names.machine), draft)).length === 0;
  const fields = {
    draft,
    errorAt,
    onChange: (values: Partial<RuleDraft>) => {
      setDraft({ ...draft, ...values });
      plan.reset();
    },
  };
  function takeTheirs() {
    if (!rule) return;
    setSeen(rule);
    setDraft(draftOf(rule, names.machine));
    plan.reset();
  }
  const overtaken = rule !== null && seen !== null && rule.revision !== seen.revision;
  return (
    <Dialog as="drawer" title={seen ? "Edit rule" : "Add rule"} description={seen ? <VersionsLink ruleId={seen.id} /> : "Everything that no rule allows is denied."} onClose={onClose}>
      <form
        className="grid gap-4"
       
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (Object.keys(faults).length === 0) plan.mutate();
        }}
      >
        {gone && <FormFailure text="Somebody has deleted this rule meanwhile. Close this form, or add it anew." />}
        {overtaken && <Overtaken onTake={takeTheirs} onKeep={() => setSeen(rule)} />}
        <MainFields {...fields} />
        <ConditionFields {...fields} open={seen !== null && hasConditions(draft)} />
        <ValidityFields {...fields} open={seen !== null && Boolean(draft.startsAt || draft.expiresAt || draft.description)} />
        {previewFailed(plan.error) && <WithoutPreview changes={changes} done={done} onDone={onClose} />}
        <FormFailure text={plan.error && !previewFailed(plan.error) && !(refused?.field && SHOWN_AT_FIELDS.includes(refused.field)) ? messageOf(plan.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={plan.isPending} disabled={plan.isPending || gone || unchanged}>
            Save
          </Button>
        </DialogActions>
      </form>
      {plan.data && (
        <PlanDialog title={seen ? `Change ${seen.name}` : `Add ${draft.name.trim()}`} plan={plan.data} done={done} onBack={plan.reset} onApplied={onClose} />
      )}
    </Dialog>
  );
}

/** Two people at one rule: neither overwrites the other unseen. */
function Overtaken({ onTake, onKeep }: { onTake: () => void; onKeep: () => void }) {
  return (
    <div role="alert" className="rounded-xl bg-yellow-soft px-3.5 py-3 text-yellow">
      <p className="font-medium">Somebody else has changed this rule while you were.</p>
      <div className="mt-2 flex flex-wrap gap-2">
        <Button size="sm" onClick={onTake}>
          Load theirs
        </Button>
        <Button size="sm" onClick={onKeep}>
          Keep mine
        </Button>
      </div>
    </div>
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
