import { Badge, type Colour } from "@/components/ui/badge";
import type { AuditEvent } from "@/api/answers";

const byVerb: readonly [RegExp, Colour][] = [
  [/(deleted|removed|revoked|denied|rejected|failed|wipe\w*|locked|quarantined?|expired|disabled|reused|refused)$/, "red"],
  [/(created|added|requested|registered|approved|joined|enabled|unquarantined|unlocked|invited|signed_up|login|authorized)$/, "green"],
  [/(updated|renamed|changed|rotated|resent|\w+_(updated|changed))$/, "blue"],
];

function colourOf(action: string): Colour {
  const verb = action.slice(action.lastIndexOf(".") + 1);
  if (verb === "unquarantined" || verb === "unlocked") return "green";
  return byVerb.find(([pattern]) => pattern.test(verb))?.[1] ?? "grey";
}

export function ActionBadge({ action }: { action: string }) {
  return (
    <Badge mono colour={colourOf(action)}>
      {action}
    </Badge>
  );
}

export function actorName({ actor }: AuditEvent): string {
  return actor.name?.trim() || actor.email || actor.kind;
}

/** What an event says in plain words, for those whose details alone say too little. */
export function sentence({ action, details }: Pick<AuditEvent, "action" | "details">): string | null {
  if (action !== "machine.peer_identity_refused") return null;
  return `${String(details.refused_by)} refuses ${String(details.name)}: its identity key is not the one that ${String(details.refused_by)} has known.`;
}

/** The event on one line: in plain words, or its details as `name: web, os: linux`. */
export function summary(event: Pick<AuditEvent, "action" | "details">): string {
  return sentence(event) ?? listed(event.details);
}

function listed(details: Record<string, unknown>): string {
  return Object.entries(details)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
