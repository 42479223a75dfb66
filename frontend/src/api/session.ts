import { call } from "./client";
import { dropToken, holdToken, renewToken } from "./token";
import type { Role } from "./tables";

export interface User {
  id: string;
  email: string;
  full_name: string | null;
  platform_role: string | null;
}

export interface Membership {
  id: string;
  name: string;
  slug: string;
  domain: string | null;
  role: Role;
  is_default: boolean;
}

export interface SignUpAnswer {
  email: string;
  email_verified: boolean;
  token: string | null;
  expires_in: number;
}

export async function signIn(email: string, password: string): Promise<void> {
  holdToken(await call("/api/auth/login", { method: "POST", body: { email, password }, anonymous: true }));
}

/** Makes an account. False: it must first be confirmed from the mailbox, so nobody is signed in yet. */
export async function signUp(email: string, password: string, fullName: string): Promise<boolean> {
  const body = { email, password, ...(fullName ? { full_name: fullName } : {}) };
  const answer = await call<SignUpAnswer>("/api/auth/signup", { method: "POST", body, anonymous: true });
  if (answer.token === null) return false;
  holdToken({ token: answer.token, expires_in: answer.expires_in });
  return true;
}

export async function signOut(): Promise<void> {
  try {
    await call("/api/auth/logout", { method: "POST", body: {} });
  } finally {
    dropToken();
  }
}

/** Takes the session up again after a reload. */
export async function resume(): Promise<void> {
  await renewToken();
}

export const fetchMe = (signal?: AbortSignal) => call<User>("/api/auth/me", { signal });
export const fetchMemberships = (signal?: AbortSignal) => call<Membership[]>("/api/user-orgs", { signal });
