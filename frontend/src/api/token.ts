import { unwrap } from "./envelope";
import { ApiError } from "./error";

/** The access token lives in this module's memory and nowhere else; the refresh token is a cookie no script can read. */
interface TokenAnswer {
  token: string;
  expires_in: number;
}

interface Held {
  token: string;
  expiresAt: number;
}

const RENEW_AHEAD_MS = 60_000;

let held: Held | null = null;
let renewal: Promise<string> | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<(token: string | null) => void>();

// No secret: only says that trying the cookie is worth a call, so that a visitor's first page asks nothing in vain.
const SIGNED_IN = "quickztna.signed-in";

/** Whether this browser signed in before and has not signed out since. */
export function mayResume(): boolean {
  return localStorage.getItem(SIGNED_IN) !== null;
}

/** The token to send now, or null when nobody is signed in on this page. */
export function currentToken(): string | null {
  return held?.token ?? null;
}

/** Calls `listener` with every new token, and with null when the session ends. Returns the way to stop. */
export function onToken(listener: (token: string | null) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function holdToken(answer: TokenAnswer): void {
  held = { token: answer.token, expiresAt: Date.now() + answer.expires_in * 1000 };
  localStorage.setItem(SIGNED_IN, "yes");
  clearTimeout(timer);
  timer = setTimeout(() => void renewToken().catch(() => undefined), answer.expires_in * 1000 - RENEW_AHEAD_MS);
  for (const listener of listeners) listener(answer.token);
}

export function dropToken(): void {
  held = null;
  localStorage.removeItem(SIGNED_IN);
  clearTimeout(timer);
  for (const listener of listeners) listener(null);
}

/** A token that stays valid for the next minute; renews first when it must. Throws ApiError when the session is over. */
export async function freshToken(): Promise<string> {
  if (held && held.expiresAt - Date.now() > RENEW_AHEAD_MS) return held.token;
  return renewToken();
}

/** Trades the refresh cookie for a new access token, once for all callers that ask at the same time. */
export function renewToken(): Promise<string> {
  renewal ??= exclusively(fetchToken).finally(() => {
    renewal = null;
  });
  return renewal;
}

// Refresh tokens are single use: two tabs that renew at once would look like a stolen token.
async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work();
  return navigator.locks.request("quickztna.refresh", work);
}

async function fetchToken(): Promise<string> {
  let response: Response;
  try {
    response = await fetch("/api/auth/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
  } catch {
    throw new ApiError("OFFLINE", "The control plane can't be reached.", 0);
  }
  try {
    const answer = (await unwrap(response)) as TokenAnswer;
    holdToken(answer);
    return answer.token;
  } catch (error) {
    if (error instanceof ApiError && error.status < 500 && error.status !== 429) dropToken();
    throw error;
  }
}
