import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { act } from "@/api/act";
import { orgKey } from "@/api/keys";
import { requestOf, type AuditSearch } from "./audit-search";

export const PAGE_SIZE = 50;

export function auditQuery(orgId: string, search: AuditSearch) {
  return queryOptions({
    queryKey: orgKey(orgId, "audit_logs", search),
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      act(
        "governance",
        "search_audit_logs",
        { org_id: orgId, page_size: PAGE_SIZE, ...requestOf(search, Date.now()) },
        signal,
      ),
  });
}
