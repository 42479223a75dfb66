import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleCheck, CircleDashed, CircleX, FlaskConical, Play, Plus } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { removeRow } from "@/api/rows";
import { BackLink } from "@/components/back-link";
import { Confirm } from "@/components/confirm";
import { useEndNames, type EndNames } from "@/components/end-chips";
import { FlowLine } from "@/components/flow-line";
import { EditDelete } from "@/components/item-controls";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { actOnPolicy } from "@/components/plans/queries";
import type { FailedTest } from "@/components/plans/report";
import { ActionBadge } from "../rules/action-badge";
import { policyTestsQuery, type PolicyTest, type TestRun } from "./queries";
import { TestDialog } from "./test-dialog";

/** What must hold whatever the rules say: a change that breaks one is not applied. */
export function TestsPage() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl");
  const client = useQueryClient();
  const query = useQuery(policyTestsQuery(org.id));
  const names = useEndNames();
  const [edited, setEdited] = useState<PolicyTest | "new" | null>(null);
  const [removed, setRemoved] = useState<PolicyTest | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: orgKey(org.id, "policy_tests") });
  const run = useMutation({
    mutationFn: () => actOnPolicy<TestRun>(org.id, "run_tests"),
    onSuccess: async ({ passed, failed }) => {
      await refresh();
      if (failed.length > 0) toast.failed(`${plural(failed.length, "test")} failed, ${passed} passed`);
      else toast.done(`${plural(passed, "test")} passed`);
    },
    onError: (error) => toast.failed(messageOf(error)),
  });
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setEdited("new")}>
      <Plus /> Add test
    </Button>
  );
  return (
    <Page
      title="Policy tests"
      subtitle="What must hold whatever changes. A change that breaks one is not applied."
      back={
        <BackLink to="/acls">Access rules</BackLink>
      }
      actions={
        <>
          {query.data && query.data.length > 0 && (
            <Button busy={run.isPending} onClick={() => run.mutate()}>
              <Play /> Run all
            </Button>
          )}
          {add}
        </>
      }
    >
      <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-20" />}>
        {(tests) =>
          tests.length > 0 ? (
            <ul className="grid gap-2.5">
              {tests.map((test) => (
                <li key={test.id}>
                  <TestCard test={test} names={names} failure={run.data?.failed.find(({ id }) => id === test.id)} onEdit={isAdmin ? () => setEdited(test) : undefined} onRemove={isAdmin ? () => setRemoved(test) : undefined} />
                </li>
              ))}
            </ul>
          ) : (
            <Notice icon={<FlaskConical />} title="No test yet" action={add}>
              Write down what must never break: that administrators reach SSH, that contractors never reach the database.
            </Notice>
          )
        }
      </QueryView>
      {edited && <TestDialog test={edited === "new" ? null : edited} names={names} onClose={() => setEdited(null)} />}
      {removed && (
        <Confirm
          title={`Delete the test ${removed.name}?`}
          action="Delete"
          onClose={() => setRemoved(null)}
          onConfirm={async () => {
            await removeRow("policy_tests", org.id, removed.id);
            await refresh();
            toast.done("Test deleted");
          }}
        >
          Changes are no longer held against it.
        </Confirm>
      )}
    </Page>
  );
}

interface CardProps {
  test: PolicyTest;
  names: EndNames;
  failure: FailedTest | undefined;
  onEdit: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

const results = {
  passed: { icon: CircleCheck, colour: "text-green", text: "Passed" },
  failed: { icon: CircleX, colour: "text-red", text: "Failed" },
  none: { icon: CircleDashed, colour: "text-muted", text: "Not run yet" },
};

function TestCard({ test, names, failure, onEdit, onRemove }: CardProps) {
  const { icon: Icon, colour, text } = results[test.last_result ?? "none"];
  return (
    <article aria-label={`Test ${test.name}`} className="flex items-start gap-3 rounded-2xl border border-line bg-surface px-4 py-3 shadow-card">
      <Icon className={`mt-0.5 size-5 shrink-0 ${colour}`} aria-label={text} />
      <div className="min-w-0 flex-1">
        <h2 className="font-semibold break-words">{test.name}</h2>
        <div className="mt-1.5 flex flex-wrap items-center gap-x-2.5 gap-y-1.5">
          <FlowLine source={test.source} destination={test.destination} service={{ protocol: test.protocol, ports: test.port ? String(test.port) : "*" }} names={names} tone="muted" />
          <span className="text-[0.85rem] text-muted">must be</span>
          <ActionBadge action={test.expected} />
        </div>
        <p className="mt-1.5 text-[0.83rem] text-muted">
          {text} {test.last_run_at && <Timestamp at={test.last_run_at} />}
        </p>
        {failure && (
          <p className="mt-1 text-[0.85rem] text-red">
            It is {failure.actual}
            {failure.rule ? ` by the rule ${failure.rule}` : " by no rule"}.
          </p>
        )}
      </div>
      {onEdit && onRemove && (
        <span className="flex">
          <EditDelete name={test.name} onEdit={onEdit} onDelete={onRemove} />
        </span>
      )}
    </article>
  );
}
