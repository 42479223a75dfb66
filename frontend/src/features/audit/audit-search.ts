import { textParam } from "@/lib/search-params";
import { localMidnight } from "@/lib/time";

export type Period = "today" | "7d" | "30d" | "90d";

/** What the audit log shows, as its URL says it. */
export interface AuditSearch {
  q?: string;
  period?: Period;
  type?: string;
  category?: string;
  /** The id of one thing whose events are wanted. */
  resource?: string;
  page?: number;
}

export const periods: Record<Period, string> = {
  today: "Today",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  "90d": "Last 90 days",
};
const daysBack: Record<Period, number> = { today: 0, "7d": 7, "30d": 30, "90d": 90 };

export function readAuditSearch(search: Record<string, unknown>): AuditSearch {
  const page = Number(search.page);
  return {
    q: textParam(search.q),
    period: typeof search.period === "string" && Object.hasOwn(periods, search.period) ? (search.period as Period) : undefined,
    type: textParam(search.type),
    category: textParam(search.category),
    resource: textParam(search.resource),
    page: Number.isInteger(page) && page > 0 ? page : undefined,
  };
}

export function isNarrowed({ q, period, type, category, resource }: AuditSearch): boolean {
  return [q, period, type, category, resource].some((filter) => filter !== undefined);
}

/** The fields of the search call. Days count from local midnight; no period means all that is kept. */
export function requestOf({ q, period, type, category, resource, page }: AuditSearch, now: number): Record<string, unknown> {
  const fields = {
    page,
    search: q,
    action_category: category,
    resource_type: type,
    resource_id: resource,
    date_from: period && localMidnight(now, daysBack[period]),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
