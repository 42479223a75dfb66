import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bookmark, ChevronRight, History } from "lucide-react";
import { useState } from "react";
import type { Revision } from "@/api/answers";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { membersQuery } from "@/api/members";
import { useEndNames, type EndNames } from "@/components/end-chips";
import { ErrorState, Notice, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Badge, type Colour } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton, SkeletonLines } from "@/components/ui/skeleton";
import { spelledOut } from "@/lib/selectors";
import { described, type Kind } from "./diff";
import { FieldDiff } from "./field-diff";
import { LabelDialog, RollbackDialog } from "./revision-dialogs";
import { revisionQuery, revisionsQuery } from "./queries";

export function RevisionsTab() {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const query = useInfiniteQuery(revisionsQuery(org.id));
  const { data: members } = useQuery(membersQuery(org.id));
  const names = useEndNames();
  const [labelling, setLabelling] = useState(false);
  const [target, setTarget] = useState<Revision | null>(null);
  if (query.isPending) return <SkeletonLines count={6} className="[&>*]:h-16" />;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const revisions = query.data.pages.flatMap((page) => page.revisions);
  const present = revisions[0];
  if (!present) {
    return (
      <Notice icon={<History />} title="Nothing has changed yet">
        From the first change of a rule on, every state of the policy is kept here.
      </Notice>
    );
  }
  const who = (id: string | null) => (id === null ? "QuickZTNA" : (members?.find((member) => member.user_id === id)?.email ?? "a former member"));
  return (
    <>
      {isAdmin && (
        <div className="mb-4">
          <Button onClick={() => setLabelling(true)}>
            <Bookmark /> Name the present state
          </Button>
        </div>
      )}
      <ol className="grid gap-2.5">
        {revisions.map((revision) => (
          <li key={revision.revision}>
            <RevisionRow revision={revision} who={who(revision.user_id)} names={names} present={revision === present} onRollback={isAdmin && revision !== present ? () => setTarget(revision) : undefined} />
          </li>
        ))}
      </ol>
      {query.hasNextPage && (
        <Button tone="ghost" className="mt-3" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show older
        </Button>
      )}
      {labelling && <LabelDialog present={present} onClose={() => setLabelling(false)} />}
      {target && <RollbackDialog target={target} undone={revisions.filter(({ revision }) => revision > target.revision)} onClose={() => setTarget(null)} />}
    </>
  );
}

interface RowProps {
  revision: Revision;
  who: string;
  names: EndNames;
  present: boolean;
  onRollback: (() => void) | undefined;
}

function RevisionRow({ revision, who, names, present, onRollback }: RowProps) {
  const [open, setOpen] = useState(false);
  return (
    <article className="rounded-2xl border border-line bg-surface shadow-card">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5 px-3.5 py-2.5">
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className="flex min-w-0 flex-1 basis-64 items-center gap-3 rounded-lg text-left">
          <ChevronRight className={open ? "size-4 shrink-0 rotate-90 text-muted" : "size-4 shrink-0 text-muted"} aria-hidden />
          <span className="w-9 shrink-0 text-right font-mono text-[0.8rem] text-muted tabular-nums" title={`Version ${revision.revision}`}>
            {revision.revision}
          </span>
          <span className="min-w-0">
            <span className="block font-medium break-words">{spelledOut(revision.summary, names.machine)}</span>
            <span className="block text-[0.82rem] text-muted">
              {who}, <Timestamp at={revision.at} />
            </span>
          </span>
        </button>
        <span className="flex flex-wrap items-center gap-2">
          {present && <Badge colour="green">in force</Badge>}
          {revision.label && (
            <Badge colour="violet">
              <Bookmark aria-hidden /> {revision.label}
            </Badge>
          )}
          {revision.plan_id && (
            <Link to="/acls/plans/$planId" params={{ planId: revision.plan_id }} className="rounded text-[0.83rem] font-medium text-accent hover:underline">
              Plan
            </Link>
          )}
          {onRollback && (
            <Button size="sm" onClick={onRollback} aria-label={`Go back to version ${revision.revision}`}>
              Go back to it
            </Button>
          )}
        </span>
      </div>
      {open && <Changes revision={revision.revision} names={names} />}
    </article>
  );
}

const colours: Record<Kind, Colour> = { created: "green", updated: "blue", deleted: "red" };

function Changes({ revision, names }: { revision: number; names: EndNames }) {
  const { org } = useCurrentOrg();
  const query = useQuery(revisionQuery(org.id, revision));
  return (
    <div className="grid gap-4 border-t border-line px-3.5 py-3.5">
      <QueryView query={query} skeleton={<Skeleton className="h-20" />}>
        {({ changes }) =>
          changes.map((change) => {
            const { kind, noun, name, fields } = described(change);
            return (
              <section key={`${change.table} ${change.id}`} aria-label={`${noun} ${name}`}>
                <h4 className="mb-1.5 flex flex-wrap items-center gap-2 text-[0.87rem]">
                  <Badge colour={colours[kind]}>{kind}</Badge>
                  <span className="text-muted">{noun}</span>
                  <span className="font-medium break-words">{spelledOut(name, names.machine)}</span>
                </h4>
                {fields.length > 0 && <FieldDiff fields={fields} names={names} />}
              </section>
            );
          })
        }
      </QueryView>
    </div>
  );
}
