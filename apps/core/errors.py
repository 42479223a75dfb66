"""Failures that services and views raise; the exception handler turns them into the envelope.

One code has one status everywhere. A domain adds its own in its `errors.py`.
"""

from typing import Any


class ApiError(Exception):
    """An answer that says no: code, HTTP status, message and further fields of `error`."""

    code = "INTERNAL_ERROR"
    status = 500
    message = "Something went wrong"

    def __init__(self, message: str | None = None, **extra: Any) -> None:
        self.message = message or self.message
        self.extra = extra
        super().__init__(self.message)


class InvalidJson(ApiError):
    code, status, message = "INVALID_JSON", 400, "Request body must be valid JSON"


class MissingFields(ApiError):
    code, status, message = "MISSING_FIELDS", 400, "Required fields are missing"


class InvalidInput(ApiError):
    code, status, message = "INVALID_INPUT", 400, "Invalid input"


class ValidationFailed(ApiError):
    """With `details` in any case: of a single field unless they are given."""

    code, status, message = "VALIDATION_ERROR", 400, "Validation failed"

    def __init__(self, message: str | None = None, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.extra.setdefault("details", [{"field": extra.get("field"), "problem": self.message}])


class UnknownAction(ApiError):
    code, status, message = "UNKNOWN_ACTION", 400, "Unknown action"


class FourEyesRequired(ApiError):
    code, status, message = "FOUR_EYES_REQUIRED", 403, "A second administrator must repeat this"


class UnknownField(ApiError):
    code, status, message = "UNKNOWN_FIELD", 400, "Unknown field"


class InvalidFilter(ApiError):
    code, status, message = "INVALID_FILTER", 400, "Invalid filter"


class UnsafeUpdate(ApiError):
    code, status, message = "UNSAFE_UPDATE", 400, "Update requires at least one record filter"


class UnsafeDelete(ApiError):
    code, status, message = "UNSAFE_DELETE", 400, "Delete requires at least one record filter"


class TooManyRows(ApiError):
    code, status, message = "TOO_MANY_ROWS", 400, "More than 1,000 rows match; narrow the filter"


class InvalidValue(ApiError):
    code, status, message = "INVALID_VALUE", 400, "Value is not in its list"


class InvalidState(ApiError):
    code, status, message = "INVALID_STATE", 400, "Not possible in the present state"


class ConfirmationRequired(ApiError):
    code, status, message = "CONFIRMATION_REQUIRED", 400, "Confirmation is required"


class Unauthorized(ApiError):
    code, status, message = "UNAUTHORIZED", 401, "Authentication required"


class Forbidden(ApiError):
    code, status, message = "FORBIDDEN", 403, "Not allowed"


class InsufficientScope(ApiError):
    code, status, message = "INSUFFICIENT_SCOPE", 403, "The API key lacks a scope"


class CsrfRejected(ApiError):
    code, status, message = "CSRF_REJECTED", 403, "Request comes from a foreign origin"


class StepUpRequired(ApiError):
    code, status, message = "STEP_UP_REQUIRED", 403, "Confirm your password to go on"


class FieldNotWritable(ApiError):
    code, status, message = "FIELD_NOT_WRITABLE", 403, "Field is not writable"


class NotFound(ApiError):
    code, status, message = "NOT_FOUND", 404, "Not found"


class MethodNotAllowed(ApiError):
    code, status, message = "METHOD_NOT_ALLOWED", 405, "Method not allowed"


class Conflict(ApiError):
    code, status, message = "CONFLICT", 409, "Already exists"


class PayloadTooLarge(ApiError):
    code, status, message = "PAYLOAD_TOO_LARGE", 413, "Request body is too large"


class UnsupportedMediaType(ApiError):
    code, status, message = "UNSUPPORTED_MEDIA_TYPE", 415, "Content-Type must be application/json"


class RateLimited(ApiError):
    code, status, message = "RATE_LIMITED", 429, "Too many requests; try again later"


class InternalError(ApiError):
    code, status, message = "INTERNAL_ERROR", 500, "Something went wrong"


class NotConfigured(ApiError):
    code, status, message = "NOT_CONFIGURED", 503, "Not configured"


class ServiceUnavailable(ApiError):
    code, status, message = "SERVICE_UNAVAILABLE", 503, "A service this call needs is down; try again shortly"
