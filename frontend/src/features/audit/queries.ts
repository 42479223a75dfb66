import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { act } from "@/api/client";
import { orgKey } from "@/api/keys";
import { requestOf, type AuditSearch } from "./audit-search";

export const PAGE_SIZE = 50;

export interface AuditEvent {
  id: string;
  action: string;
  resource_type: string;
  resource_id: string | null;
  details: Record<string, unknown>;
  user_id: string | null;
  actor: { kind: string; name: string | null; email: string | null };
  ip_address: string | null;
  user_agent: string | null;
  created_at: string;
}

export interface AuditPage {
  logs: AuditEvent[];
  total: number;
  page: number;
  filters: { resource_types: string[]; action_categories: string[] };
}

export function auditQuery(orgId: string, search: AuditSearch) {
  return queryOptions({
    queryKey: orgKey(orgId, "audit_logs", search),
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      act<AuditPage>(
        "governance",
        "search_audit_logs",
        { org_id: orgId, page_size: PAGE_SIZE, ...requestOf(search, Date.now()) },
        signal,
      ),
  });
}
