import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Camera, FileClock } from "lucide-react";
import { useState } from "react";
import { act } from "@/api/act";
import type { PolicyVersion } from "@/api/answers";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { orgKey } from "@/api/keys";
import { membersQuery } from "@/api/members";
import { Confirm } from "@/components/confirm";
import { useEndNames } from "@/components/end-chips";
import { Notice, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SelectField } from "@/components/ui/field";
import { Skeleton, SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { FieldDiff } from "./field-diff";
import { versionDiffQuery, versionedRulesQuery, versionsQuery } from "./queries";

interface Props {
  ruleId: string | undefined;
  onRule: (ruleId: string | undefined) => void;
}

export function SingleTab({ ruleId, onRule }: Props) {
  const { org } = useCurrentOrg();
  const query = useQuery(versionedRulesQuery(org.id));
  return (
    <QueryView query={query} skeleton={<SkeletonLines count={4} />}>
      {(rules) => (
        <div className="grid items-start gap-4 lg:grid-cols-[20rem_minmax(0,1fr)]">
          <Card>
            <SelectField label="Rule" value={ruleId ?? ""} onChange={(event) => onRule(event.target.value || undefined)}>
              <option value="">Choose a rule</option>
              {rules.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </SelectField>
          </Card>
          {ruleId ? (
            <Versions key={ruleId} ruleId={ruleId} name={rules.find(({ id }) => id === ruleId)?.name ?? "this rule"} />
          ) : (
            <Notice icon={<FileClock />} title="Choose a rule">
              Its kept versions are shown here, and how each differs from the rule as it is now.
            </Notice>
          )}
        </div>
      )}
    </QueryView>
  );
}

function Versions({ ruleId, name }: { ruleId: string; name: string }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const query = useQuery(versionsQuery(org.id, ruleId));
  const { data: members } = useQuery(membersQuery(org.id));
  const [target, setTarget] = useState<PolicyVersion | null>(null);
  const refresh = () => Promise.all(["policy_versions", "acl_rules", "revisions"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
  const policy = { policy_type: "acl_rule", policy_id: ruleId };
  const keep = useMutation({
    mutationFn: () => act("governance", "snapshot_policy", { org_id: org.id, ...policy }),
    onSuccess: async () => {
      await refresh();
      toast.done("Version kept");
    },
    onError: (error) => toast.refused(error),
  });
  const keepButton = isAdmin && (
    <Button size="sm" busy={keep.isPending} onClick={() => keep.mutate()}>
      <Camera /> Keep this version
    </Button>
  );
  return (
    <Card title={name} actions={keepButton}>
      <QueryView query={query} skeleton={<SkeletonLines count={3} />}>
        {(versions) =>
          versions.length === 0 ? (
            <Notice icon={<FileClock />} title="No version kept yet">
              Keep one before you experiment. Before a rollback one is kept by itself.
            </Notice>
          ) : (
            <ol className="divide-y divide-line">
              {versions.map((version) => (
                <li key={version.id} className="grid gap-2 py-3">
                  <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
                    <span className="font-semibold tabular-nums">Version {version.version}</span>
                    <span className="min-w-0 flex-1 text-[0.85rem] text-muted">
                      {version.change_summary ?? "Kept"} by {members?.find(({ user_id }) => user_id === version.changed_by)?.email ?? "a former member"}, <Timestamp at={version.created_at} />
                    </span>
                    {isAdmin && (
                      <Button size="sm" onClick={() => setTarget(version)} aria-label={`Roll back to version ${version.version}`}>
                        Roll back
                      </Button>
                    )}
                  </div>
                  <Difference versionId={version.id} />
                </li>
              ))}
            </ol>
          )
        }
      </QueryView>
      {target && (
        <Confirm
          title={`Roll ${name} back to version ${target.version}?`}
          action="Roll back"
          onClose={() => setTarget(null)}
          onConfirm={async () => {
            await act("governance", "rollback_policy", { org_id: org.id, ...policy, version_id: target.id });
            await refresh();
            toast.done(`${name} is version ${target.version} again`);
          }}
        >
          <p className="mb-3">It comes into force within a second. The rule as it is now is kept as a version first.</p>
          <Difference versionId={target.id} />
        </Confirm>
      )}
    </Card>
  );
}

/** How a kept version differs from the present: red is the version, green is now. */
function Difference({ versionId }: { versionId: string }) {
  const { org } = useCurrentOrg();
  const names = useEndNames();
  const query = useQuery(versionDiffQuery(org.id, versionId));
  return (
    <QueryView query={query} skeleton={<Skeleton className="h-9" />}>
      {(fields) =>
        fields.length === 0 ? (
          <p className="text-[0.85rem] text-muted">The same as the rule is now.</p>
        ) : (
          <>
            <p className="text-[0.8rem] text-muted">Red: this version. Green: the rule as it is now.</p>
            <FieldDiff fields={fields} names={names} />
          </>
        )
      }
    </QueryView>
  );
}
