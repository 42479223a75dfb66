import { Page } from "@/components/page";
import { Tabs } from "@/components/ui/tabs";
import { useChannels } from "@/realtime/provider";
import { RevisionsTab } from "./revisions-tab";
import { SingleTab } from "./single-tab";

export interface VersionSearch {
  tab?: "single";
  rule?: string;
}

interface Props {
  search: VersionSearch;
  onSearch: (change: VersionSearch) => void;
}

/** The policy as it was: every write of the whole, and kept versions of single rules. */
export function VersionsPage({ search, onSearch }: Props) {
  useChannels("acl", "posture");
  return (
    <Page title="Policy history" subtitle="Every change with who made it, and the way back.">
      <Tabs<"all" | "single">
        label="Policy history"
        value={search.tab ?? "all"}
        onChange={(tab) => onSearch({ tab: tab === "single" ? tab : undefined })}
        tabs={[
          { value: "all", label: "Whole policy", content: <RevisionsTab /> },
          { value: "single", label: "Single rules", content: <SingleTab ruleId={search.rule} onRule={(rule) => onSearch({ tab: "single", rule })} /> },
        ]}
      />
    </Page>
  );
}
