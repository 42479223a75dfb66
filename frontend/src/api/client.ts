import { unwrap } from "./envelope";
import { ApiError } from "./error";
import { currentToken, renewToken } from "./token";

export interface Call {
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
  /** Calls that anyone may make send no token and never try to renew one. */
  anonymous?: boolean;
}

export interface Answer<T> {
  data: T;
  headers: Headers;
}

/**
 * One call to the control plane. Resolves with `data` and the headers; throws ApiError otherwise. A 401 renews the
 * access token once and repeats the call, so that an expired token is never seen by a page.
 */
export async function callWithHeaders<T>(path: string, call: Call = {}): Promise<Answer<T>> {
  const response = await sendRenewing(path, call);
  return { data: (await unwrap(response)) as T, headers: response.headers };
}

/** One call that is answered with a file; a refusal comes in the envelope as ever and is thrown as ApiError. */
export async function callForFile(path: string, call: Call): Promise<Blob> {
  const response = await sendRenewing(path, call);
  if (!response.ok) await unwrap(response);
  return response.blob();
}

/** As callWithHeaders, for the common case that only `data` matters. */
export async function call<T>(path: string, options: Call = {}): Promise<T> {
  return (await callWithHeaders<T>(path, options)).data;
}

async function sendRenewing(path: string, call: Call): Promise<Response> {
  const response = await send(path, call);
  if (response.status !== 401 || call.anonymous) return response;
  await renewToken();
  return send(path, call);
}

async function send(path: string, { method = "GET", body, signal, anonymous }: Call): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  const token = currentToken();
  if (token && !anonymous) headers.set("Authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  try {
    return await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("OFFLINE", "The control plane can't be reached.", 0);
  }
}
