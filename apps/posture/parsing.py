"""Columns of a policy as people write them, judged and brought into one form."""

import re
from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput
from apps.machines.models import OSES
from apps.machines.names import parse_tags

VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,5})")
DISTRIBUTION = re.compile(r"[a-z][a-z0-9_-]{0,30}")
MAX_GROUPS = 50
MAX_DISTRIBUTIONS = 20
MAX_IDLE_MINUTES = 1440
ALIASES = {"darwin": "macos"}


def parse_scope(value: Any) -> dict[str, list[str]]:
    """{tags, groups}, each left out where empty; raises InvalidInput."""
    scope = _object({} if value is None else value, "scope", ("tags", "groups"))
    groups = scope.get("groups") or []
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
        raise InvalidInput(f"scope: groups must be a list of at most {MAX_GROUPS}", field="scope")
    if not all(isinstance(name, str) and 0 < len(name.strip()) <= 64 for name in groups):
        raise InvalidInput("scope: each group must be a name of 1-64 characters", field="scope")
    tags = parse_tags(scope.get("tags") or [])
    names = list(dict.fromkeys(name.strip().removeprefix("group:") for name in groups))
    return {**({"tags": tags} if tags else {}), **({"groups": names} if names else {})}


def parse_systems(value: Any) -> list[str]:
    """Operating systems without repetition; raises InvalidInput."""
    if not isinstance(value, list):
        raise InvalidInput("allowed_os must be a list", field="allowed_os")
    return list(dict.fromkeys(_system(name, "allowed_os") for name in value))


def parse_minimums(value: Any) -> dict[str, Any]:
    """{"macos": "13.0", "linux": {"debian": "12"}}; raises InvalidInput."""
    given = _object({} if value is None else value, "min_os_version", None)
    found: dict[str, Any] = {}
    for name, least in given.items():
        system = _system(name, "min_os_version")
        found[system] = _distributions(least) if system == "linux" and isinstance(least, dict) else None
        found[system] = found[system] or parse_version(least, "min_os_version")
    return found


def parse_lock(value: Any) -> dict[str, Any] | None:
    """{enabled, max_idle_min}; None where no lock is asked. Raises InvalidInput."""
    if value is None or value is False:
        return None
    lock = _object({} if value is True else value, "screen_lock", ("enabled", "max_idle_min"))
    enabled, idle = lock.get("enabled", True), lock.get("max_idle_min")
    if not isinstance(enabled, bool):
        raise InvalidInput("screen_lock: enabled must be true or false", field="screen_lock")
    if idle is not None and (
        isinstance(idle, bool) or not isinstance(idle, int) or not 1 <= idle <= MAX_IDLE_MINUTES
    ):
        raise InvalidInput(f"screen_lock: max_idle_min must be 1 to {MAX_IDLE_MINUTES}", field="screen_lock")
    return {"enabled": True, **({"max_idle_min": idle} if idle else {})} if enabled else None


def parse_version(value: Any, field: str) -> str:
    """A dotted number; raises InvalidInput."""
    match = VERSION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(f"{field}: must be a version such as 22.04", field=field)
    return match[1]


def _distributions(value: Mapping[Any, Any]) -> dict[str, str]:
    if not 0 < len(value) <= MAX_DISTRIBUTIONS:
        message = f"min_os_version: linux names 1 to {MAX_DISTRIBUTIONS} distributions"
        raise InvalidInput(message, field="min_os_version")
    if not all(isinstance(name, str) and DISTRIBUTION.fullmatch(name.lower()) for name in value):
        raise InvalidInput("min_os_version: not a distribution's ID", field="min_os_version")
    return {name.lower(): parse_version(least, "min_os_version") for name, least in value.items()}


def _system(name: Any, field: str) -> str:
    system = ALIASES.get(name.lower(), name.lower()) if isinstance(name, str) else ""
    if system not in OSES:
        raise InvalidInput(f"{field}: must be of {', '.join(OSES)}", field=field)
    return system


def _object(value: Any, field: str, names: tuple[str, ...] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{field} must be an object", field=field)
    if names is not None and (unknown := [name for name in value if name not in names]):
        raise InvalidInput(f"{field}: unknown {unknown[0][:40]}", field=field)
    return value
