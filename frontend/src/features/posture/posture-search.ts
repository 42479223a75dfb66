export type PostureVerdict = "failing" | "compliant" | "silent";

export interface PostureSearch {
  show?: PostureVerdict;
}

export function readPostureSearch(search: Record<string, unknown>): PostureSearch {
  const { show } = search;
  return { show: show === "failing" || show === "compliant" || show === "silent" ? show : undefined };
}
