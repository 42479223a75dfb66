"""Failures of signing in."""

from apps.core.errors import ApiError


class InvalidCredentials(ApiError):
    code, status, message = "INVALID_CREDENTIALS", 401, "Invalid email or password"


class InvalidToken(ApiError):
    code, status, message = "INVALID_TOKEN", 401, "Invalid or expired token"


class DeviceMismatch(ApiError):
    code, status, message = "DEVICE_MISMATCH", 401, "This session belongs to another device; sign in again"


class MissingToken(ApiError):
    code, status, message = "MISSING_TOKEN", 400, "Refresh token required"


class InvalidPassword(ApiError):
    code, status, message = "INVALID_PASSWORD", 403, "The password is wrong"


class AccountLocked(ApiError):
    code, status, message = "ACCOUNT_LOCKED", 423, "Too many failed sign-ins; try again later"


class InvalidScopes(ApiError):
    code, status, message = "INVALID_SCOPES", 400, "Invalid scopes"


class AuthorizationPending(ApiError):
    code, status, message = "AUTHORIZATION_PENDING", 400, "Not approved yet"


class SlowDown(ApiError):
    code, status, message = "SLOW_DOWN", 429, "Polling too fast"
