import { ApiError } from "./error";

interface ErrorBody {
  code: string;
  message: string;
  field?: string;
  request_id?: string;
  retry_after?: number;
}

interface Envelope {
  success: boolean;
  data: unknown;
  error: ErrorBody | null;
}

/** Unwraps `{success, data, error}` into `data`; throws ApiError for every other answer, readable or not. */
export async function unwrap(response: Response): Promise<unknown> {
  const requestId = response.headers.get("X-Request-Id");
  const body = await readEnvelope(response);
  if (body?.success) return body.data;
  if (!body?.error) {
    throw new ApiError("BAD_ANSWER", "The control plane answered in a form this page can't read.", response.status, requestId);
  }
  const { code, message, field, request_id, retry_after, ...more } = body.error;
  const retryAfter = retry_after ?? secondsOf(response.headers.get("Retry-After"));
  throw new ApiError(code, message, response.status, request_id ?? requestId, field ?? null, retryAfter, more);
}

async function readEnvelope(response: Response): Promise<Envelope | null> {
  try {
    const body: unknown = await response.json();
    return isEnvelope(body) ? body : null;
  } catch {
    return null;
  }
}

function isEnvelope(body: unknown): body is Envelope {
  return typeof body === "object" && body !== null && "success" in body && "data" in body && "error" in body;
}

function secondsOf(header: string | null): number | null {
  const seconds = Number(header);
  return header !== null && Number.isFinite(seconds) ? seconds : null;
}
