import { useQuery } from "@tanstack/react-query";
import { Inbox, KeySquare, Plus, TimerOff } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { AccessGrant } from "@/api/answers";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { useEndNames } from "@/components/end-chips";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { Tabs } from "@/components/ui/tabs";
import { useNow } from "@/lib/now";
import { useChannels } from "@/realtime/provider";
import { GrantCard } from "./grant-card";
import type { JitSearch, JitTab } from "./jit-search";
import { grantsQuery, isActive } from "./queries";
import { RequestDialog } from "./request-dialog";

interface Props {
  search: JitSearch;
  onSearch: (change: JitSearch) => void;
}

/** Access for a while: asked for, approved by somebody else, gone by itself. */
export function JitPage({ search, onSearch }: Props) {
  const { org, user } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  useChannels("acl");
  const query = useQuery(grantsQuery(org.id));
  const now = useNow(5_000);
  const [asking, setAsking] = useState(false);
  const grants = query.data ?? [];
  const pending = grants.filter(({ status }) => status === "pending");
  const active = grants.filter((grant) => isActive(grant, now));
  const lists: Record<JitTab, AccessGrant[]> = {
    mine: grants.filter(({ requester_user_id }) => requester_user_id === user.id),
    inbox: pending,
    active,
    history: grants.filter((grant) => grant.status !== "pending" && !isActive(grant, now)),
  };
  const ask = (
    <Button tone="primary" onClick={() => setAsking(true)}>
      <Plus /> Request access
    </Button>
  );
  const empty: Record<JitTab, ReactNode> = {
    mine: (
      <Notice icon={<KeySquare />} title="You have not asked for access yet" action={ask}>
        Ask for what you need for as long as you need it. An administrator approves it, and it ends by itself.
      </Notice>
    ),
    inbox: (
      <Notice icon={<Inbox />} title="Nothing waits for approval">
        Requests for access appear here the moment they are made.
      </Notice>
    ),
    active: (
      <Notice icon={<TimerOff />} title="No access for a while is in force">
        What has been approved stands here with the time it has left.
      </Notice>
    ),
    history: (
      <Notice icon={<TimerOff />} title="Nothing has ended yet">
        Denied, revoked and expired requests are kept here.
      </Notice>
    ),
  };
  const label: Record<JitTab, ReactNode> = {
    mine: "Mine",
    inbox: <>Inbox {pending.length > 0 && <Badge colour="yellow">{pending.length}</Badge>}</>,
    active: <>Active {active.length > 0 && <Badge colour="green">{active.length}</Badge>}</>,
    history: "History",
  };
  const chosen = search.tab ?? (isAdmin ? "inbox" : "mine");
  return (
    <Page title="Just-in-time access" subtitle="Rules that somebody asked for, somebody else approved, and time takes away." actions={ask}>
      <Tabs<JitTab>
        label="Requests"
        value={chosen}
        onChange={(tab) => onSearch({ tab })}
        tabs={(["mine", "inbox", "active", "history"] as const).map((tab) => ({
          value: tab,
          label: label[tab],
          content: (
            <QueryView query={query} skeleton={<SkeletonLines count={4} className="[&>*]:h-28" />}>
              {() => (lists[tab].length > 0 ? <Grants grants={lists[tab]} /> : empty[tab])}
            </QueryView>
          ),
        }))}
      />
      {asking && <RequestDialog onClose={() => setAsking(false)} />}
    </Page>
  );
}

const PAGE = 50;

function Grants({ grants }: { grants: AccessGrant[] }) {
  const names = useEndNames();
  const [shown, setShown] = useState(PAGE);
  return (
    <>
      <ul className="grid gap-3">
        {grants.slice(0, shown).map((grant) => (
          <li key={grant.id}>
            <GrantCard grant={grant} names={names} />
          </li>
        ))}
      </ul>
      {grants.length > shown && (
        <Button tone="ghost" className="mt-3" onClick={() => setShown(shown + PAGE)}>
          Show more
        </Button>
      )}
    </>
  );
}
