"""Endpoints of policy; importing this declares them."""

from apps.policy.api import (  # noqa: F401
    attributes,
    evaluate,
    grants,
    groups,
    histories,
    plans,
    policytests,
    reviews,
    rules,
    validate,
    versions,
)
