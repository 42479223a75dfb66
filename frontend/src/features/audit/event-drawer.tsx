import { Copyable } from "@/components/copy";
import { Timestamp } from "@/components/timestamp";
import { Dialog } from "@/components/ui/dialog";
import { Fact, Facts } from "@/components/ui/card";
import { utcTime } from "@/lib/time";
import { ActionBadge, actorName, sentence } from "./event-text";
import type { AuditEvent } from "@/api/answers";

/** Everything an event tells, with its details as they are stored. */
export function EventDrawer({ event, onClose }: { event: AuditEvent; onClose: () => void }) {
  const said = sentence(event);
  return (
    <Dialog as="drawer" title="Audit event" description={<ActionBadge action={event.action} />} onClose={onClose}>
      {said && <p className="mb-3 rounded-lg bg-red-soft px-3 py-2 text-red">{said}</p>}
      <Facts>
        <Fact name="Time">
          <span className="grid">
            <Timestamp at={event.created_at} />
            <span className="text-[0.8rem] text-muted">{utcTime(event.created_at)}</span>
          </span>
        </Fact>
        <Fact name="Actor">
          <span className="grid">
            {actorName(event)}
            {event.actor.email && event.actor.name && <span className="text-[0.8rem] text-muted">{event.actor.email}</span>}
          </span>
        </Fact>
        <Fact name="Kind of actor">{event.actor.kind}</Fact>
        <Fact name="Resource">{event.resource_type}</Fact>
        {event.resource_id && (
          <Fact name="Resource id">
            <Copyable text={event.resource_id} label="resource id" />
          </Fact>
        )}
        <Fact name="From">{event.ip_address ? <code className="font-mono text-[0.82rem]">{event.ip_address}</code> : "–"}</Fact>
        {event.user_agent && (
          <Fact name="Program">
            <span className="text-[0.83rem]">{event.user_agent}</span>
          </Fact>
        )}
        <Fact name="Event id">
          <Copyable text={event.id} label="event id" />
        </Fact>
      </Facts>
      <h3 className="mt-5 mb-2 font-medium">Details</h3>
      <pre className="overflow-x-auto rounded-lg bg-sunken p-3 font-mono text-[0.8rem]">{JSON.stringify(event.details, null, 2)}</pre>
    </Dialog>
  );
}
