"""Failures of posture's calls."""

from apps.core.errors import ApiError


class MissingNodeKey(ApiError):
    code, status, message = "MISSING_NODE_KEY", 401, "A node key is needed"
