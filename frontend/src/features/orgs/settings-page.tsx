import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey, userKeys } from "@/api/keys";
import { orgSettingsQuery } from "@/api/org-settings";
import type { OrgSettings } from "@/api/tables";
import { Copyable } from "@/components/copy";
import { Page } from "@/components/page";
import { OpenPlans } from "@/components/plans/open-plans";
import { PlannedChange, type Planned } from "@/components/plans/planned-change";
import { QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Card, Fact, Facts } from "@/components/ui/card";
import { TextField } from "@/components/ui/field";
import { SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { useChannels } from "@/realtime/provider";
import { LockdownCard } from "./lockdown-card";
import { SettingRow, settingGroups } from "./settings-rows";
import { TagOwnersCard } from "./tag-owners-card";

export function SettingsPage() {
  const { org } = useCurrentOrg();
  useChannels("general");
  const settings = useQuery(orgSettingsQuery(org.id));
  const [plan, setPlan] = useState<Planned | null>(null);
  return (
    <Page title="Settings" subtitle={org.name}>
      <OpenPlans />
      <div className="gap-4 xl:columns-2 [&>*]:mb-4 [&>*]:break-inside-avoid">
        <NameCard key={org.id} />
        <QueryView query={settings} skeleton={<SkeletonLines count={6} />}>
          {(values) => (
            <>
              {settingGroups.map((group) => (
                <GroupCard key={group.title} group={group} values={values} onPlan={setPlan} />
              ))}
              <TagOwnersCard />
              <LockdownCard locked={values.lockdown_mode} />
            </>
          )}
        </QueryView>
      </div>
      {plan && <PlannedChange {...plan} onClose={() => setPlan(null)} />}
    </Page>
  );
}

function NameCard() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const [name, setName] = useState(org.name);
  const save = useMutation({
    mutationFn: () => act("org-management", "update_org", { org_id: org.id, name: name.trim() }),
    onSuccess: () => {
      toast.done("Network name saved");
      return client.invalidateQueries({ queryKey: userKeys.memberships });
    },
  });
  return (
    <Card title="Network">
      {isAdmin ? (
        <form
          className="mb-4 flex flex-wrap items-end gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate();
          }}
        >
          <div className="min-w-48 flex-1">
            <TextField label="Network Name" required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} error={save.error ? messageOf(save.error) : null} />
          </div>
          <Button type="submit" tone="primary" busy={save.isPending} disabled={save.isPending || name.trim() === org.name || !name.trim()}>
            Save
          </Button>
        </form>
      ) : null}
      <Facts>
        {!isAdmin && <Fact name="Network Name">{org.name}</Fact>}
        <Fact name="Short name">
          <Copyable text={org.slug} label="short name" />
        </Fact>
        <Fact name="Tailnet Domain">
          <Copyable text={`${org.slug}.zt.net`} label="domain" />
        </Fact>
        <Fact name="Organisation id">
          <Copyable text={org.id} label="organisation id" />
        </Fact>
      </Facts>
    </Card>
  );
}

interface GroupProps {
  group: (typeof settingGroups)[number];
  values: OrgSettings;
  onPlan: (plan: Planned) => void;
}

function GroupCard({ group, values, onPlan }: GroupProps) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const key = orgKey(org.id, "org_settings");
  async function change(settings: Partial<OrgSettings>) {
    await act("org-management", "update_org_settings", { org_id: org.id, ...settings });
    client.setQueryData(key, (old: OrgSettings | undefined) => old && { ...old, ...settings });
    await client.invalidateQueries({ queryKey: key });
  }
  // The answer leaves out what the role may not read.
  const rows = group.rows.filter((row) => row.name in values);
  if (rows.length === 0) return null;
  return (
    <Card title={group.title}>
      <div className="divide-y divide-line">
        {rows.map((row) => (
          <SettingRow key={row.name} row={row} value={values[row.name]} onChange={change} onPlan={onPlan} />
        ))}
      </div>
    </Card>
  );
}
