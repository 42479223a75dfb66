import { UsersRound } from "lucide-react";
import { useState } from "react";
import type { AclRule, IdpGroup } from "@/api/tables";
import { SmallTable } from "@/components/small-table";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { SkeletonLines } from "@/components/ui/skeleton";
import { sourceNames } from "@/lib/group-sources";
import { localDate, utcTime } from "@/lib/time";
import type { PersonInGroup } from "./people";
import { RulesBadge } from "./rules-badge";

interface Props {
  group: IdpGroup;
  people: PersonInGroup[] | undefined;
  rules: AclRule[] | undefined;
}

const SHOWN = 6;
const told: Record<IdpGroup["source"], string> = { oidc: "Told by the identity provider at sign-ins", scim: "Pushed by the identity provider" };

/** A group of people: read here, changed at the identity provider. */
export function PeopleCard({ group, people, rules }: Props) {
  const [all, setAll] = useState(false);
  return (
    <section aria-label={`Group ${group.name}`} className="min-w-0 rounded-2xl border border-line bg-surface p-4 shadow-card sm:p-5">
      <header className="flex items-start gap-3">
        <UsersRound className="mt-1 size-4 shrink-0 text-muted" aria-hidden />
        <h3 className="flex min-w-0 flex-wrap items-center gap-2 font-semibold tracking-tight break-words">
          {group.name}
          <Badge title="People in this group">{people?.length ?? "…"}</Badge>
          <Badge colour="blue" title={told[group.source]}>
            {sourceNames[group.source]}
          </Badge>
          {rules && rules.length > 0 && <RulesBadge rules={rules} />}
        </h3>
      </header>
      {people === undefined ? <SkeletonLines count={2} className="mt-3" /> : <People group={group} people={all ? people : people.slice(0, SHOWN)} />}
      {people && people.length > SHOWN && (
        <Button tone="ghost" size="sm" className="mt-1" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${people.length}`}
        </Button>
      )}
    </section>
  );
}

function People({ group, people }: { group: IdpGroup; people: PersonInGroup[] }) {
  if (people.length === 0) return <p className="mt-3 text-[0.87rem] text-muted">Nobody in it. Rules that name it match nothing.</p>;
  return (
    <SmallTable label={`People in ${group.name}`} columns={["Person", "Since"]} removable={false} className="mt-3">
      {people.map(({ id, name, email, since }) => (
        <tr key={id} className="border-t border-line">
          <td className="w-full max-w-0 truncate py-1.5">
            <span className="font-medium">{name}</span>
            {email !== name && <span className="ml-2 hidden text-[0.78rem] text-muted sm:inline">{email}</span>}
          </td>
          <td className="py-1.5 pl-3 text-muted">
            <time dateTime={since} title={utcTime(since)} className="whitespace-nowrap">
              {localDate(since)}
            </time>
          </td>
        </tr>
      ))}
    </SmallTable>
  );
}
