import { ApiError } from "./error";
import { resume } from "./session";
import { currentToken, mayResume } from "./token";

/** Whether somebody is signed in, taking the session up from the cookie after a reload. Throws when it can't be known. */
export async function hasSession(): Promise<boolean> {
  if (currentToken()) return true;
  if (!mayResume()) return false;
  try {
    await resume();
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) return false;
    throw error;
  }
}
