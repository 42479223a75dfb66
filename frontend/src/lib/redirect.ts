/** The path to go to after signing in: `target` if it is a page of this console, otherwise the dashboard. */
export function safeRedirect(target: string | undefined, origin: string): string {
  if (!target?.startsWith("/")) return "/dashboard";
  try {
    const url = new URL(target, origin);
    return url.origin === origin && url.pathname !== "/auth" ? url.pathname + url.search : "/dashboard";
  } catch {
    return "/dashboard";
  }
}
