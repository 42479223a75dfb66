import { X } from "lucide-react";
import type { Verdict } from "@/api/tables";
import { SearchBox } from "@/components/search-box";
import { Button } from "@/components/ui/button";
import { isNarrowed, states, type RuleSearch, type RuleState } from "./rule-search";

interface Props {
  search: RuleSearch;
  onSearch: (change: RuleSearch) => void;
}

export const noFilters: RuleSearch = { q: undefined, action: undefined, state: undefined };

export function RuleFilters({ search, onSearch }: Props) {
  return (
    <div className="mb-4 flex flex-wrap items-center gap-2">
      <SearchBox label="Search rules" value={search.q ?? ""} onChange={(q) => onSearch({ q: q || undefined })} />
      <select aria-label="Action" className="field w-auto" value={search.action ?? ""} onChange={(event) => onSearch({ action: (event.target.value || undefined) as Verdict | undefined })}>
        <option value="">Action: all</option>
        <option value="allow">Allow</option>
        <option value="deny">Deny</option>
      </select>
      <select aria-label="State" className="field w-auto" value={search.state ?? ""} onChange={(event) => onSearch({ state: (event.target.value || undefined) as RuleState | undefined })}>
        <option value="">State: all</option>
        {Object.entries(states).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      {isNarrowed(search) && (
        <Button tone="ghost" onClick={() => onSearch(noFilters)}>
          <X /> Clear
        </Button>
      )}
    </div>
  );
}
