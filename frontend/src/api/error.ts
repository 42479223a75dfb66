/** A failure as the control plane reports it: one `code` for programs, one message for people, one id for support. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly requestId: string | null = null,
    readonly field: string | null = null,
    readonly retryAfterSeconds: number | null = null,
    /** What this code tells besides, such as the tests that fail. */
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** Failures that say "you may not", as opposed to "it did not work". */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && ["FORBIDDEN", "INSUFFICIENT_SCOPE", "IP_NOT_ALLOWED"].includes(error.code);
}

const KEPT_AS_PLAN = "Kept as a plan: a second administrator has to approve it.";

/** The plan that a change was kept as: no failure, somebody else decides. */
export function planKept(error: unknown): string | null {
  return error instanceof ApiError && error.code === "FOUR_EYES_REQUIRED" && typeof error.more.plan_id === "string" ? error.more.plan_id : null;
}

/** What a person should read; never a stack or a bare status. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) {
    if (planKept(error) !== null) return KEPT_AS_PLAN;
    return error.retryAfterSeconds ? `${error.message} Try again in ${waitText(error.retryAfterSeconds)}.` : error.message;
  }
  return "Something went wrong in this page.";
}

function waitText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return `${Math.ceil(seconds / 60)} min`;
}
