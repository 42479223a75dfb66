"""Attribute policies: what an allowed flow must hold, whichever rule allowed it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.policy.conditions import parse_countries, parse_systems, parse_window
from apps.policy.facts import MachineFacts
from apps.policy.faults import RuleFault, check_text
from apps.policy.selectors import TAG, Network, Selector, parse_selector
from wire.schedule import Window

EFFECTS = ("deny", "require")
ROLES = ("owner", "admin", "member", "auditor")
FIELDS = ("time_hour", "day_of_week", "timezone", "country", "os", "tags", "roles", "posture", "network")


@dataclass(frozen=True, slots=True)
class AttributePolicy:
    """selector picks sources; the attributes, all together, are what is required or denied of them.

    posture: must be compliant (True) or must not be (False). networks: where its public address lies.
    """

    id: str
    name: str
    effect: str
    selector: Selector
    priority: int = 100
    window: Window | None = None
    countries: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    posture: bool | None = None
    networks: tuple[Network, ...] = ()

    def attributes(self, source: MachineFacts) -> dict[str, bool]:
        """Each attribute asked for, time apart, and whether the source has it; unknown is not met."""
        found: dict[str, bool] = {}
        if self.countries:
            found["country"] = source.country in self.countries
        if self.systems:
            found["os"] = source.os in self.systems
        if self.tags:
            found["tags"] = bool(self.tags & source.tags)
        if self.roles:
            found["roles"] = source.owner_role in self.roles
        if self.posture is not None:
            found["posture"] = source.posture_ok is self.posture
        if self.networks:
            address = ipaddress.ip_address(source.public_address) if source.public_address else None
            found["network"] = address is not None and any(address in network for network in self.networks)
        return found

    def forbids(self, source: MachineFacts, now: float) -> bool:
        """Whether it turns an allow for a source that its selector picks into a deny."""
        holds = all(self.attributes(source).values()) and (self.window is None or self.window.active(now))
        return holds == (self.effect == "deny")


def parse_attribute_policy(document: Mapping[str, Any]) -> AttributePolicy:
    """From its columns; RuleFault names what is wrong."""
    effect, asked = document.get("effect"), document.get("conditions") or {}
    if effect not in EFFECTS:
        raise RuleFault("effect", "effect must be 'deny' or 'require'", grammar=False)
    if not isinstance(asked, Mapping) or not asked:
        raise RuleFault("conditions", "conditions: must name at least one attribute")
    if unknown := [name for name in asked if name not in FIELDS]:
        raise RuleFault("conditions", f"conditions: {str(unknown[0])[:40]!r} is unknown")
    return AttributePolicy(
        id=str(document["id"]),
        name=check_text("name", document.get("name"), longest=100),
        effect=effect,
        selector=parse_selector(document.get("selector"), "selector"),
        priority=document.get("priority", 100),
        window=parse_window(asked.get("time_hour"), asked.get("day_of_week"), asked.get("timezone")),
        countries=parse_countries(asked.get("country")),
        systems=parse_systems(asked.get("os")),
        tags=_texts(asked, "tags", lambda tag: bool(TAG.fullmatch(tag))),
        roles=_texts(asked, "roles", ROLES.__contains__),
        posture=_posture(asked.get("posture")),
        networks=_networks(asked.get("network")),
    )


def _texts(asked: Mapping[str, Any], name: str, fits: Any) -> frozenset[str]:
    value = asked.get(name) or []
    if not isinstance(value, list) or not all(isinstance(text, str) and fits(text) for text in value):
        raise RuleFault("conditions", f"conditions: {name} holds something that is none")
    return frozenset(value)


def _posture(value: object) -> bool | None:
    if value in (None, True, False):
        return value  # type: ignore[return-value]
    if value in ("compliant", "non_compliant"):
        return value == "compliant"
    raise RuleFault("conditions", "conditions: posture must be compliant or non_compliant")


def _networks(value: object) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in (value or []))  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise RuleFault("conditions", "conditions: network must be a list of CIDR networks") from None
