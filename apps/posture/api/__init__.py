"""Endpoints of posture; importing this declares them."""

from apps.posture.api import policies, reports  # noqa: F401
