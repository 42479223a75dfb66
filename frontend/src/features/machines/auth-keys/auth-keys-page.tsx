import { queryOptions, useQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { useCurrentOrg, useIsAdmin, useMayInspect } from "@/api/current-org";
import { from } from "@/api/from";
import { orgKey } from "@/api/keys";
import type { AuthKey } from "@/api/tables";
import { DataTable } from "@/components/data-table";
import { Page } from "@/components/page";
import { Forbidden, Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { authKeyColumns } from "./columns";
import { CreateDialog } from "./create-dialog";
import { RevokeDialog } from "./revoke-dialog";

function authKeysQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "auth_keys"),
    queryFn: ({ signal }) => from("auth_keys").in(orgId).order("created_at", "desc").rows(signal),
  });
}

export function AuthKeysPage() {
  if (!useMayInspect()) return <Forbidden />;
  return <AuthKeys />;
}

function AuthKeys() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("keys");
  const query = useQuery(authKeysQuery(org.id));
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<AuthKey | null>(null);
  const columns = useMemo(() => authKeyColumns(isAdmin ? setRevoking : undefined), [isAdmin]);
  const create = isAdmin && (
    <Button tone="primary" onClick={() => setCreating(true)}>
      <Plus /> Create auth key
    </Button>
  );
  return (
    <Page title="Auth keys" subtitle="A machine that shows one joins without a person signing in." actions={create}>
      <QueryView query={query} skeleton={<SkeletonLines count={5} />}>
        {(keys) =>
          keys.length ? (
            <DataTable label="Auth keys" rows={keys} columns={columns} />
          ) : (
            <Notice icon={<KeyRound />} title="No auth key yet" action={create}>
              Create one to enrol servers, containers and images. Keep it short-lived, and one-time where you can.
            </Notice>
          )
        }
      </QueryView>
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
      {revoking && <RevokeDialog authKey={revoking} onClose={() => setRevoking(null)} />}
    </Page>
  );
}
