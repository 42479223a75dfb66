import { expect, it } from "vitest";
import { ApiError } from "@/api/error";
import { previewFailed } from "./direct";

it.each([
  ["INTERNAL_ERROR", 500, true],
  ["BAD_ANSWER", 502, true],
  ["NOT_FOUND", 404, true],
  ["VALIDATION_ERROR", 400, false],
  ["FORBIDDEN", 403, false],
  ["CONFLICT", 409, false],
  ["OFFLINE", 0, false],
])("%s (%i): the preview failed, not the change: %s", (code, status, failed) => {
  expect(previewFailed(new ApiError(code, "", status))).toBe(failed);
});
