"""Rows as the plain documents that the engine parses, that snapshots keep and that people export."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core.clock import parse_rfc3339, rfc3339
from apps.core.errors import ApiError, InvalidInput, ValidationFailed
from apps.policy.abac import AttributePolicy, parse_attribute_policy
from apps.policy.faults import RuleFault
from apps.policy.models import AbacPolicy, AclRule
from apps.policy.rules import Rule, parse_rule
from apps.policy.selectors import Selector, parse_selector

RULE_COLUMNS = (
    *("name", "description", "source", "destination", "protocol", "ports", "action", "priority", "enabled"),
    *("starts_at", "expires_at", "time_hour", "day_of_week", "timezone", "source_country", "source_os"),
    *("require_posture", "require_pqc"),
)
ABAC_COLUMNS = ("name", "effect", "selector", "conditions", "enabled", "priority")
MOMENTS = ("starts_at", "expires_at")


def rule_of(row: AclRule) -> Rule:
    """A row, parsed; raises RuleFault."""
    values = {name: getattr(row, name) for name in RULE_COLUMNS}
    moments = {name: _seconds(values[name]) for name in MOMENTS}
    grant = str(row.jit_grant_id) if row.jit_grant_id else None
    origin = {"id": str(row.pk), "created_at": row.created_at.timestamp(), "jit_grant_id": grant}
    return parse_rule(values | moments | origin)


def attribute_policy_of(row: AbacPolicy) -> AttributePolicy:
    """A row, parsed; raises RuleFault."""
    return parse_attribute_policy({"id": str(row.pk), **{name: getattr(row, name) for name in ABAC_COLUMNS}})


def selectors_of(row: AclRule | AbacPolicy) -> tuple[Selector, ...]:
    """What a row names: its ends, or its selector and the tags that it asks for."""
    if isinstance(row, AclRule):
        return parse_selector(row.source, "source"), parse_selector(row.destination, "destination")
    policy = attribute_policy_of(row)
    return policy.selector, Selector("", frozenset(("tag", tag) for tag in policy.tags))


def snapshot_of(row: AclRule | AbacPolicy) -> dict[str, Any]:
    """What a row says, as JSON."""
    names = RULE_COLUMNS if isinstance(row, AclRule) else ABAC_COLUMNS
    return {name: _plain(getattr(row, name)) for name in names}


def restored(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a snapshot as they are stored in a row."""
    return {
        name: parse_rfc3339(value) if name in MOMENTS and value else value for name, value in snapshot.items()
    }


def as_api_error(fault: RuleFault) -> ApiError:
    """VALIDATION_ERROR for a wrong form, INVALID_INPUT for a value that is out of its bounds."""
    kind = ValidationFailed if fault.grammar else InvalidInput
    return kind(fault.message, field=fault.field)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _plain(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value
