const tabs = ["mine", "inbox", "active", "history"] as const;
export type JitTab = (typeof tabs)[number];

export interface JitSearch {
  tab?: JitTab;
}

export function readJitSearch(search: Record<string, unknown>): JitSearch {
  return { tab: tabs.find((tab) => tab === search.tab) };
}
