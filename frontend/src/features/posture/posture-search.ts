const verdicts = ["failing", "compliant", "stale", "silent"] as const;

export type PostureVerdict = (typeof verdicts)[number];

export interface PostureSearch {
  show?: PostureVerdict;
}

export function readPostureSearch(search: Record<string, unknown>): PostureSearch {
  const { show } = search;
  return { show: verdicts.find((verdict) => verdict === show) };
}
