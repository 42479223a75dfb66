"""Endpoints of policy; importing this declares them."""

from apps.policy.api import attributes, evaluate, grants, groups, rules, versions  # noqa: F401
