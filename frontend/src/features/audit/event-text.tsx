import { Badge, type Colour } from "@/components/ui/badge";
import type { AuditEvent } from "@/api/answers";

const byVerb: readonly [RegExp, Colour][] = [
  [/(deleted|removed|revoked|rejected|failed|wipe\w*|locked|quarantined?|expired|disabled|reused)$/, "red"],
  [/(created|registered|approved|joined|enabled|unquarantined|unlocked|invited|signed_up|login|authorized)$/, "green"],
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

/** The details on one line: `name: web, os: linux`. */
export function summary(details: Record<string, unknown>): string {
  return Object.entries(details)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
