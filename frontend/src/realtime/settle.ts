const QUIET_MS = 500;
const LONGEST_MS = 3_000;

/**
 * Runs `work` once things have been quiet for 500 ms, and at the latest 3 s after the first call, so that neither a
 * burst causes a storm of fetches nor a steady stream starves them.
 */
export function settle(work: () => void): { touch: () => void; cancel: () => void } {
  let quiet: ReturnType<typeof setTimeout> | undefined;
  let latest: ReturnType<typeof setTimeout> | undefined;

  function cancel() {
    clearTimeout(quiet);
    clearTimeout(latest);
    latest = undefined;
  }
  function run() {
    cancel();
    work();
  }
  return {
    touch() {
      clearTimeout(quiet);
      quiet = setTimeout(run, QUIET_MS);
      latest ??= setTimeout(run, LONGEST_MS);
    },
    cancel,
  };
}
