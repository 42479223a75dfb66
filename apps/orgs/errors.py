"""Failures of organisations and memberships."""

from apps.core.errors import ApiError


class LastOwner(ApiError):
    code, status, message = "LAST_OWNER", 409, "An organisation needs at least one owner"


class InvalidRole(ApiError):
    code, status, message = "INVALID_ROLE", 400, "Role must be owner, admin, member or auditor"


class AlreadyMember(ApiError):
    code, status, message = "ALREADY_MEMBER", 409, "Already a member"


class DuplicateInvitation(ApiError):
    code, status, message = "DUPLICATE_INVITATION", 409, "An invitation for this address is open"


class InvalidInvitation(ApiError):
    code, status, message = "INVALID_INVITATION", 404, "This invitation is not valid"


class EmailMismatch(ApiError):
    code, status, message = "EMAIL_MISMATCH", 403, "The invitation is for another e-mail address"


class EmailNotVerified(ApiError):
    code, status, message = "EMAIL_NOT_VERIFIED", 403, "Verify your e-mail address first"
