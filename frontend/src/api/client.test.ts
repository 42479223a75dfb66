import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { act } from "./act";
import { call, callForFile, callWithHeaders } from "./client";
import { ApiError } from "./error";
import { currentToken, dropToken, holdToken } from "./token";

interface Sent {
  path: string;
  authorization: string | null;
  body: unknown;
}

const sent: Sent[] = [];

/** Stands where the network is: answers by path, and keeps what was sent. */
function network(answer: (request: Sent) => Response) {
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const request = { path, authorization: new Headers(init.headers).get("Authorization"), body };
    sent.push(request);
    return Promise.resolve(answer(request));
  });
}

const success = (data: unknown, headers?: HeadersInit) => Response.json({ success: true, data, error: null }, { headers });
const failure = (status: number, code: string, extra: object = {}, headers?: HeadersInit) =>
  Response.json({ success: false, data: null, error: { code, message: `${code} happened`, ...extra } }, { status, headers });

async function failureOf(work: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error;
  throw new Error("expected an ApiError");
}

beforeEach(() => {
  sent.length = 0;
  dropToken();
});
afterEach(() => vi.unstubAllGlobals());

describe("call()", () => {
  it("unwraps the envelope and hands the headers on", async () => {
    network(() => success([1, 2], { "Content-Range": "0-1/9" }));
    const { data, headers } = await callWithHeaders("/api/db/machines");
    expect(data).toEqual([1, 2]);
    expect(headers.get("Content-Range")).toBe("0-1/9");
  });

  it("turns a refusal into its code, message, field and request id", async () => {
    network(() => failure(409, "CONFLICT", { field: "name" }, { "X-Request-Id": "req-7" }));
    const error = await failureOf(call("/api/x"));
    expect(error).toMatchObject({ code: "CONFLICT", status: 409, field: "name", requestId: "req-7", message: "CONFLICT happened" });
  });

  it("reads the waiting time of a limit from its header", async () => {
    network(() => failure(429, "RATE_LIMITED", {}, { "Retry-After": "12" }));
    expect((await failureOf(call("/api/x"))).retryAfterSeconds).toBe(12);
  });

  it("does not take a proxy's HTML page for data", async () => {
    network(() => new Response("<html>Bad gateway</html>", { status: 502 }));
    expect(await failureOf(call("/api/x"))).toMatchObject({ code: "BAD_ANSWER", status: 502 });
  });

  it("says that the control plane can't be reached", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("network")));
    expect(await failureOf(call("/api/x"))).toMatchObject({ code: "OFFLINE", status: 0 });
  });

  it("sends an action with the token as bearer", async () => {
    holdToken({ token: "t1", expires_in: 3600 });
    network(() => success(null));
    await act("machine-admin", "approve", { machine_id: "m" });
    expect(sent).toEqual([{ path: "/api/machine-admin", authorization: "Bearer t1", body: { action: "approve", machine_id: "m" } }]);
  });
});

describe("an expired access token", () => {
  const renewing = (request: Sent) => {
    if (request.path === "/api/auth/refresh") return success({ token: "t2", expires_in: 3600 });
    return request.authorization === "Bearer t2" ? success("data") : failure(401, "UNAUTHORIZED");
  };

  it("is renewed once for all calls that meet it, and each call is repeated", async () => {
    holdToken({ token: "t1", expires_in: 3600 });
    network(renewing);
    expect(await Promise.all([call("/api/a"), call("/api/b"), call("/api/c")])).toEqual(["data", "data", "data"]);
    expect(sent.filter(({ path }) => path === "/api/auth/refresh")).toHaveLength(1);
    expect(currentToken()).toBe("t2");
  });

  it("ends the session when the refresh token is refused too", async () => {
    holdToken({ token: "t1", expires_in: 3600 });
    network(({ path }) => failure(401, path === "/api/auth/refresh" ? "INVALID_TOKEN" : "UNAUTHORIZED"));
    expect((await failureOf(call("/api/a"))).code).toBe("INVALID_TOKEN");
    expect(currentToken()).toBeNull();
  });

  it("keeps the session when the control plane is only down", async () => {
    holdToken({ token: "t1", expires_in: 3600 });
    network(({ path }) => (path === "/api/auth/refresh" ? failure(503, "SERVICE_UNAVAILABLE") : failure(401, "UNAUTHORIZED")));
    expect((await failureOf(call("/api/a"))).code).toBe("SERVICE_UNAVAILABLE");
    expect(currentToken()).toBe("t1");
  });

  it("is not renewed for a call anyone may make", async () => {
    network(() => failure(401, "INVALID_CREDENTIALS"));
    expect((await failureOf(call("/api/auth/login", { method: "POST", body: {}, anonymous: true }))).code).toBe("INVALID_CREDENTIALS");
    expect(sent).toHaveLength(1);
  });
});

it("keeps the access token out of the browser's storage", () => {
  holdToken({ token: "secret-token", expires_in: 3600 });
  const stored = [localStorage, sessionStorage].map((storage) => JSON.stringify(storage));
  expect([...stored, document.cookie].join()).not.toContain("secret-token");
});

describe("callForFile()", () => {
  it("hands over the file as it is", async () => {
    network(() => new Response("a,b\r\n", { headers: { "Content-Type": "text/csv" } }));
    const file = await callForFile("/api/policy", { method: "POST", body: { action: "flows_export" } });
    expect(await file.text()).toBe("a,b\r\n");
  });

  it("throws what a refusal says instead of saving it as a file", async () => {
    network(() => failure(403, "FORBIDDEN"));
    expect((await failureOf(callForFile("/api/policy", { method: "POST" }))).code).toBe("FORBIDDEN");
  });
});
