import { X } from "lucide-react";
import { SearchBox } from "@/components/search-box";
import { Button } from "@/components/ui/button";
import { isNarrowed, roles, systems, type MachineRole, type MachineSearch } from "./machine-search";
import type { MachineStatus } from "@/api/tables";

interface Props {
  search: MachineSearch;
  onSearch: (change: MachineSearch) => void;
  tags: string[];
}

export const noFilters: MachineSearch = { q: undefined, status: undefined, os: undefined, tag: undefined, role: undefined };

export function MachineFilters({ search, onSearch, tags }: Props) {
  return (
    <div className="mb-4 flex flex-wrap items-center gap-2">
      <SearchBox label="Name or IP" value={search.q ?? ""} onChange={(q) => onSearch({ q: q || undefined })} />
      <Choice
        label="Status"
        value={search.status}
        onChange={(status) => onSearch({ status: status as MachineStatus | undefined })}
        options={{ online: "Online", offline: "Offline", pending: "Pending", quarantined: "Quarantined" }}
      />
      <Choice label="OS" value={search.os} onChange={(os) => onSearch({ os })} options={systems} />
      <Choice label="Role" value={search.role} onChange={(role) => onSearch({ role: role as MachineRole | undefined })} options={roles} />
      {(tags.length > 0 || search.tag) && (
        <Choice
          label="Tag"
          value={search.tag}
          onChange={(tag) => onSearch({ tag })}
          options={Object.fromEntries([...new Set([...tags, ...(search.tag ? [search.tag] : [])])].sort().map((tag) => [tag, tag]))}
        />
      )}
      {isNarrowed(search) && (
        <Button tone="ghost" onClick={() => onSearch(noFilters)}>
          <X /> Clear
        </Button>
      )}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  options: Record<string, string>;
}

function Choice({ label, value, onChange, options }: ChoiceProps) {
  return (
    <select aria-label={label} className="field w-auto max-w-44" value={value ?? ""} onChange={(event) => onChange(event.target.value || undefined)}>
      <option value="">{label}: all</option>
      {Object.entries(options).map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}
