"""Failures of this app."""

from apps.core.errors import ApiError


class FlowLogsOff(ApiError):
    code, status, message = "FEATURE_NOT_ENABLED", 403, "Flow logs are off in this organisation"
