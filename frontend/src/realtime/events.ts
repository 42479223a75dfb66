import type { QueryClient } from "@tanstack/react-query";
import type { Narrowed } from "@/api/keys";

export interface LiveEvent {
  channel: string;
  event: "INSERT" | "UPDATE" | "DELETE" | "REFRESH" | (string & {});
  table: string | null;
  payload: Record<string, unknown> | null;
  seq: number;
}

type Rows = Record<string, unknown>[];

// Figures that are computed from several tables follow the channels of those tables.
const FIGURES_OF: Record<string, readonly string[]> = {
  machines: ["dashboard", "evaluation"],
  members: ["dashboard"],
  keys: ["dashboard"],
  dns: ["dns"],
  acl: ["dashboard", "enforcement", "evaluation", "flow_logs", "revisions"],
  posture: ["dashboard", "evaluation"],
};

// Columns of a machine that decide which names the network has; coming and going does not.
const NAMED_BY: readonly string[] = ["name", "quarantine_reason", "approved_at"];

/**
 * Works one event into cached data of any shape we keep (row, list, window, pages of windows).
 * Returns the same object when nothing in it is concerned.
 */
export function applyEvent<T>(cached: T, { event, payload }: Pick<LiveEvent, "event" | "payload">): T {
  const id = payload?.id;
  if (payload === null || id === undefined || cached === null || typeof cached !== "object") return cached;
  if (Array.isArray(cached)) return applyToRows(cached as Rows, event, id, payload) as T;
  if ("pages" in cached && Array.isArray(cached.pages)) {
    const pages = cached.pages.map((page: unknown) => applyEvent(page, { event, payload }));
    return pages.every((page, i) => page === (cached.pages as unknown[])[i]) ? cached : { ...cached, pages };
  }
  if ("rows" in cached && Array.isArray(cached.rows)) {
    const rows = applyToRows(cached.rows as Rows, event, id, payload);
    return rows === cached.rows ? cached : { ...cached, rows };
  }
  return "id" in cached && cached.id === id && event === "UPDATE" ? { ...cached, ...payload } : cached;
}

function applyToRows(rows: Rows, event: string, id: unknown, payload: Record<string, unknown>): Rows {
  const at = rows.findIndex((row) => row.id === id);
  if (at < 0) return rows;
  if (event === "DELETE") return rows.filter((row) => row.id !== id);
  if (event !== "UPDATE") return rows;
  return rows.map((row, i) => (i === at ? { ...row, ...payload } : row));
}

/** The topics whose queries must be fetched again after an event; patched rows need none unless a filter reads them. */
export function staleTopics({ event, table, channel, payload }: LiveEvent): { topic: string; changed: string[] | null }[] {
  const figures = (FIGURES_OF[channel] ?? []).map((topic) => ({ topic, changed: null }));
  if (!table) return [{ topic: channel, changed: null }, ...figures];
  const changed = event === "UPDATE" && payload ? Object.keys(payload) : null;
  if (table === "machines" && (changed?.some((column) => NAMED_BY.includes(column)) ?? true)) figures.push({ topic: "dns", changed: null });
  // The answer that holds the settings, and whether everything is denied, is no row that could be patched.
  if (table === "organizations" || table === "org_settings") figures.push({ topic: "org_settings", changed: null }, { topic: "evaluation", changed: null });
  // Whether flows are recorded stands in the answer that holds them.
  if (table === "org_settings") figures.push({ topic: "flow_logs", changed: null });
  return [{ topic: table, changed }, ...figures];
}

/** Whether a query of the topic must be fetched again when these columns changed (null: anything may have). */
export function concerns(queryKey: readonly unknown[], changed: string[] | null): boolean {
  if (changed === null) return true;
  const last = queryKey.at(-1) as Partial<Narrowed> | undefined;
  const filters = last !== undefined && typeof last === "object" ? last.narrowedBy : undefined;
  return filters !== undefined && changed.some((column) => column !== "id" && filters[column] !== undefined);
}

/** Patches every cached query of the event's table in the organisation. */
export function patchCache(client: QueryClient, orgId: string, event: LiveEvent): void {
  if (event.table && (event.event === "UPDATE" || event.event === "DELETE")) {
    client.setQueriesData({ queryKey: ["org", orgId, event.table] }, (cached: unknown) => applyEvent(cached, event));
  }
}
