import { queryOptions, useQuery } from "@tanstack/react-query";
import { Plus, SquareTerminal } from "lucide-react";
import { useMemo, useState } from "react";
import { useCurrentOrg, useIsAdmin, useMayInspect } from "@/api/current-org";
import { from } from "@/api/from";
import { narrowedBy, orgKey } from "@/api/keys";
import type { ApiKey } from "@/api/tables";
import { DataTable } from "@/components/data-table";
import { Page } from "@/components/page";
import { Forbidden, Notice, QueryView } from "@/components/states";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { useChannels } from "@/realtime/provider";
import { CreateApiKeyDialog, RevokeApiKeyDialog, RotateApiKeyDialog } from "./api-key-dialogs";
import { apiKeyColumns } from "./api-key-columns";

function apiKeysQuery(orgId: string) {
  return queryOptions({
    queryKey: orgKey(orgId, "api_keys", narrowedBy({ revoked: false })),
    queryFn: ({ signal }) => from("api_keys").in(orgId).eq("revoked", false).order("created_at", "desc").rows(signal),
  });
}

export function ApiKeysPage() {
  if (!useMayInspect()) return <Forbidden />;
  return <ApiKeys />;
}

export type KeyAction = { what: "rotate" | "revoke"; apiKey: ApiKey };

function ApiKeys() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("keys");
  const query = useQuery(apiKeysQuery(org.id));
  const [creating, setCreating] = useState(false);
  const [asking, setAsking] = useState<KeyAction | null>(null);
  const columns = useMemo(() => apiKeyColumns(isAdmin ? setAsking : undefined), [isAdmin]);
  const create = isAdmin && (
    <Button tone="primary" onClick={() => setCreating(true)}>
      <Plus /> Create API Key
    </Button>
  );
  return (
    <Page title="API keys" subtitle="For programs that use this organisation's API." actions={create}>
      <QueryView query={query} skeleton={<SkeletonLines count={4} />}>
        {(keys) =>
          keys.length ? (
            <DataTable label="API keys" rows={keys} columns={columns} />
          ) : (
            <Notice icon={<SquareTerminal />} title="No API key yet" action={create}>
              A key acts for this organisation only, within the scopes you give it, and ends by itself.
            </Notice>
          )
        }
      </QueryView>
      {creating && <CreateApiKeyDialog onClose={() => setCreating(false)} />}
      {asking?.what === "rotate" && <RotateApiKeyDialog apiKey={asking.apiKey} onClose={() => setAsking(null)} />}
      {asking?.what === "revoke" && <RevokeApiKeyDialog apiKey={asking.apiKey} onClose={() => setAsking(null)} />}
    </Page>
  );
}
