import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FileQuestion } from "lucide-react";
import { useState } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { BackLink } from "@/components/back-link";
import { Confirm } from "@/components/confirm";
import { Page } from "@/components/page";
import { Notice, QueryView } from "@/components/states";
import { Timestamp } from "@/components/timestamp";
import { Badge, type Colour } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { TextField } from "@/components/ui/field";
import { Skeleton, SkeletonLines } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { localDate } from "@/lib/time";
import { useChannels } from "@/realtime/provider";
import { CampaignBadge, Progress } from "./campaign-marks";
import { Manage } from "./manage";
import { campaignsQuery, decisionsQuery, isOpen, nameOf, review, useRefreshReviews, type Campaign, type Decision, type ReviewDecision } from "./queries";

/** One campaign: a decision for each machine and rule. */
export function ReviewPage({ campaignId }: { campaignId: string }) {
  const { org } = useCurrentOrg();
  useChannels("acl");
  const query = useQuery(campaignsQuery(org.id));
  const campaign = query.data?.find(({ id }) => id === campaignId);
  return (
    <Page
      title={campaign?.name ?? "Access review"}
      subtitle={campaign && `Due ${localDate(campaign.due_date)}`}
      actions={campaign && <Manage campaign={campaign} />}
      back={
        <BackLink to="/access-reviews">Access reviews</BackLink>
      }
    >
      <QueryView query={query} skeleton={<Skeleton className="h-96" />}>
        {() =>
          campaign ? (
            <Decisions campaign={campaign} />
          ) : (
            <Notice icon={<FileQuestion />} title="No such review">
              It may belong to another organisation, or be older than the ones listed.
            </Notice>
          )
        }
      </QueryView>
    </Page>
  );
}

const sections = [
  { type: "acl_rule", title: "Rules" },
  { type: "machine", title: "Machines" },
] as const;

function Decisions({ campaign }: { campaign: Campaign }) {
  const { org } = useCurrentOrg();
  const query = useQuery(decisionsQuery(org.id, campaign.id));
  return (
    <div className="grid gap-4">
      <Card>
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <CampaignBadge campaign={campaign} />
          <span className="text-muted">{campaign.description}</span>
        </div>
        <Progress campaign={campaign} />
      </Card>
      <QueryView query={query} skeleton={<SkeletonLines count={6} />}>
        {(decisions) =>
          sections.map(({ type, title }) => {
            const rows = decisions.filter(({ resource_type }) => resource_type === type);
            return rows.length === 0 ? null : (
              <Card key={type} title={title} subtitle={`${rows.filter(({ decision }) => decision !== null).length} of ${rows.length} decided`}>
                <ul className="divide-y divide-line">
                  {rows.map((row) => (
                    <DecisionRow key={row.id} row={row} campaign={campaign} />
                  ))}
                </ul>
              </Card>
            );
          })
        }
      </QueryView>
    </div>
  );
}

const colours: Record<Decision, Colour> = { approve: "green", revoke: "red", modify: "yellow" };
const said: Record<Decision, string> = { approve: "stays", revoke: "revoked", modify: "to be changed" };

function DecisionRow({ row, campaign }: { row: ReviewDecision; campaign: Campaign }) {
  const { org, user } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const refresh = useRefreshReviews(org.id);
  const [asking, setAsking] = useState<"revoke" | "modify" | null>(null);
  const decide = useMutation({
    mutationFn: (values: { decision: Decision; notes?: string }) => review(org.id, "submit_review_decision", { decision_id: row.id, ...values }),
    onSuccess: refresh,
  });
  const mayDecide = isOpen(campaign) && row.decision === null && (isAdmin || campaign.reviewer_user_id === user.id);
  const name = nameOf(row);
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 py-2.5 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1 basis-56">
        <p className="font-medium break-words">
          {row.resource_type === "machine" ? (
            <Link to="/machines/$machineId" params={{ machineId: row.resource_id }} className="rounded hover:text-accent hover:underline">
              {name}
            </Link>
          ) : (
            <Link to="/acls" search={{ q: name }} className="rounded hover:text-accent hover:underline">
              {name}
            </Link>
          )}
        </p>
        {row.notes && <p className="text-[0.85rem] text-muted">{row.notes}</p>}
      </div>
      {row.decision && (
        <span className="flex items-center gap-2 text-[0.83rem] text-muted">
          <Badge colour={colours[row.decision]}>{said[row.decision]}</Badge>
          <Timestamp at={row.decided_at} />
        </span>
      )}
      {mayDecide && (
        <span className="flex flex-wrap gap-2">
          <Button size="sm" disabled={decide.isPending} aria-label={`Keep ${name}`} onClick={() => decide.mutate({ decision: "approve" }, { onError: (error) => toast.refused(error) })}>
            Keep
          </Button>
          <Button size="sm" disabled={decide.isPending} aria-label={`Change ${name}`} onClick={() => setAsking("modify")}>
            Change
          </Button>
          <Button size="sm" disabled={decide.isPending} aria-label={`Revoke ${name}`} onClick={() => setAsking("revoke")}>
            Revoke
          </Button>
        </span>
      )}
      {asking && <NotesDialog row={row} name={name} decision={asking} onClose={() => setAsking(null)} onDecide={(notes) => decide.mutateAsync({ decision: asking, ...(notes && { notes }) })} />}
    </li>
  );
}

interface NotesProps {
  row: ReviewDecision;
  name: string;
  decision: "revoke" | "modify";
  onDecide: (notes: string) => Promise<unknown>;
  onClose: () => void;
}

function NotesDialog({ row, name, decision, onDecide, onClose }: NotesProps) {
  const [notes, setNotes] = useState("");
  const revoke = decision === "revoke";
  return (
    <Confirm
      title={revoke ? `Revoke ${name}?` : `What should change about ${name}?`}
      action={revoke ? "Revoke" : "Save"}
      danger={revoke}
      onClose={onClose}
      onConfirm={async () => {
        await onDecide(notes.trim());
        toast.done(revoke ? `${name} revoked` : "Noted");
      }}
    >
      {revoke && <p className="mb-3">{row.resource_type === "machine" ? "The machine is quarantined: nobody reaches it, and it reaches nobody." : "The rule is disabled and what it allowed is cut."}</p>}
      <div className="text-ink">
        <TextField label="Notes" required={!revoke} maxLength={500} value={notes} onChange={(event) => setNotes(event.target.value)} />
      </div>
    </Confirm>
  );
}
