import { X } from "lucide-react";
import { SearchBox } from "@/components/search-box";
import { Button } from "@/components/ui/button";
import { isNarrowed, periods, type AuditSearch, type Period } from "./audit-search";
import type { AuditPage } from "@/api/answers";

interface Props {
  search: AuditSearch;
  onSearch: (change: AuditSearch) => void;
  offered: AuditPage["filters"] | undefined;
}

export const noFilters: AuditSearch = {
  q: undefined,
  period: undefined,
  type: undefined,
  category: undefined,
  resource: undefined,
  page: undefined,
};

export function AuditFilters({ search, onSearch, offered }: Props) {
  // Another filter makes another list: it begins at its first page.
  const narrow = (change: AuditSearch) => onSearch({ ...change, page: undefined });
  return (
    <div className="mb-4 flex flex-wrap items-center gap-2">
      <SearchBox label="Search events" value={search.q ?? ""} onChange={(q) => narrow({ q: q || undefined })} />
      <select aria-label="Period" className="field w-auto" value={search.period ?? ""} onChange={(event) => narrow({ period: (event.target.value || undefined) as Period | undefined })}>
        <option value="">All Time</option>
        {Object.entries(periods).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      <Choice label="Resource Type" value={search.type} offered={offered?.resource_types} onChange={(type) => narrow({ type })} />
      <Choice label="Action Type" value={search.category} offered={offered?.action_categories} onChange={(category) => narrow({ category })} />
      {isNarrowed(search) && (
        <Button tone="ghost" onClick={() => onSearch(noFilters)}>
          <X /> Clear all
        </Button>
      )}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string | undefined;
  offered: string[] | undefined;
  onChange: (value: string | undefined) => void;
}

function Choice({ label, value, offered = [], onChange }: ChoiceProps) {
  const values = value && !offered.includes(value) ? [value, ...offered] : offered;
  return (
    <select aria-label={label} className="field w-auto max-w-48" value={value ?? ""} onChange={(event) => onChange(event.target.value || undefined)}>
      <option value="">{label}: all</option>
      {values.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  );
}
