import { Check, X } from "lucide-react";
import { useState } from "react";
import type { AccessGrant, GrantStatus } from "@/api/answers";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { Countdown } from "@/components/countdown";
import type { EndNames } from "@/components/end-chips";
import { FlowLine } from "@/components/flow-line";
import { Timestamp } from "@/components/timestamp";
import { Badge, type Colour } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { useNow } from "@/lib/now";
import { ApproveDialog, DenyDialog, RevokeDialog } from "./decision-dialogs";
import { hoursText, isActive, shareLeft, stateOf } from "./queries";

const colours: Record<GrantStatus, Colour> = { pending: "yellow", approved: "green", denied: "red", revoked: "orange", expired: "grey" };

/** One request: who wants what, why and for how long, and what became of it. */
export function GrantCard({ grant, names }: { grant: AccessGrant; names: EndNames }) {
  const { user } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const now = useNow(5_000);
  const [dialog, setDialog] = useState<"approve" | "deny" | "revoke" | null>(null);
  const close = () => setDialog(null);
  const own = grant.requester_user_id === user.id;
  const active = isActive(grant, now);
  const state = stateOf(grant, now);
  return (
    <article aria-label={`Request of ${grant.requester_email ?? "a former member"}`} className="min-w-0 rounded-2xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
        <h2 className="min-w-0 font-semibold break-words">{own ? "You" : (grant.requester_email ?? "A former member")}</h2>
        <Badge colour={colours[state]}>{state}</Badge>
        <span className="text-[0.83rem] text-muted">
          {hoursText(grant.requested_duration_hours)}, asked <Timestamp at={grant.requested_at} />
        </span>
        <div className="ml-auto flex flex-wrap gap-2">
          {grant.status === "pending" && isAdmin && !own && (
            <>
              <Button size="sm" onClick={() => setDialog("deny")}>
                <X /> Deny
              </Button>
              <Button size="sm" tone="primary" onClick={() => setDialog("approve")}>
                <Check /> Approve
              </Button>
            </>
          )}
          {active && (isAdmin || own) && (
            <Button size="sm" onClick={() => setDialog("revoke")}>
              Revoke
            </Button>
          )}
        </div>
      </header>
      <FlowLine source={grant.source_selector} destination={grant.destination_selector} service={grant} names={names} tone="blue" className="mt-2.5" />
      {grant.reason && <p className="mt-2 text-pretty">“{grant.reason}”</p>}
      <p className="mt-2 text-[0.83rem] text-muted">
        <Outcome grant={grant} own={own} active={active} />
      </p>
      {active && <TimeBar share={shareLeft(grant, now)} />}
      {dialog === "approve" && <ApproveDialog grant={grant} onClose={close} />}
      {dialog === "deny" && <DenyDialog grant={grant} onClose={close} />}
      {dialog === "revoke" && <RevokeDialog grant={grant} onClose={close} />}
    </article>
  );
}

function Outcome({ grant, own, active }: { grant: AccessGrant; own: boolean; active: boolean }) {
  const by = grant.approver_email ? ` by ${grant.approver_email}` : "";
  if (grant.status === "pending") return own ? "Waits for an administrator other than you." : "Waits for an administrator.";
  if (grant.status === "denied") return `Denied${by}${grant.denial_reason ? `: ${grant.denial_reason}` : "."}`;
  if (active && grant.expires_at) {
    return (
      <>
        Approved{by}. Ends in{" "}
        <span className="text-ink">
          <Countdown until={grant.expires_at} />
        </span>
      </>
    );
  }
  return (
    <>
      Approved{by}, {grant.status === "revoked" ? "revoked" : "ended"} <Timestamp at={grant.revoked_at ?? grant.expires_at} />
    </>
  );
}

function TimeBar({ share }: { share: number }) {
  return (
    <div className="mt-2 h-1.5 overflow-hidden rounded-full bg-grey-soft" aria-hidden>
      <div className={share < 0.15 ? "h-full rounded-full bg-orange" : "h-full rounded-full bg-green-dot"} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
