"""Failures of enrolment and of machines' own calls."""

from apps.core.errors import ApiError


class InvalidKey(ApiError):
    code, status, message = "INVALID_KEY", 401, "Invalid or expired auth key"


class KeyUsed(ApiError):
    code, status, message = "KEY_USED", 401, "Auth key already used"


class AddressRefused(ApiError):
    code, status, message = "IP_NOT_ALLOWED", 403, "This address may not use the auth key"


class RegistrationConflict(ApiError):
    code, status, message = "REGISTRATION_CONFLICT", 409, "Another machine was quicker; try again"


class InvalidNodeKey(ApiError):
    code, status, message = (
        "INVALID_NODE_KEY",
        401,
        "Node key is unknown: the machine was removed or signed out",
    )


class InvalidSignature(ApiError):
    code, status, message = "INVALID_SIGNATURE", 401, "Signature does not fit the keys"


class PendingApproval(ApiError):
    code, status, message = "PENDING_APPROVAL", 403, "Waiting for an administrator to approve this machine"


class KeyExpired(ApiError):
    code, status = "KEY_EXPIRED", 403
    message = "Machine key has expired. Re-authenticate to continue."


class MachineQuarantined(ApiError):
    code, status, message = "MACHINE_QUARANTINED", 403, "This machine is quarantined"
