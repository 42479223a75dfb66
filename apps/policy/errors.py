"""Failures of policy."""

from apps.core.errors import ApiError


class GroupInUse(ApiError):
    code, status, message = "GROUP_IN_USE", 409, "Rules or policies name this group"


class TestsFailed(ApiError):
    code, status, message = "TESTS_FAILED", 409, "Tests of the policy fail with this change"


class PlanStale(ApiError):
    code, status, message = "PLAN_STALE", 409, "The policy has changed since this plan was made"


class LockoutRisk(ApiError):
    code, status, message = "LOCKOUT_RISK", 409, "No administrator's machine could reach anything any more"


class InvalidType(ApiError):
    code, status, message = "INVALID_TYPE", 400, "Unknown type of policy"
