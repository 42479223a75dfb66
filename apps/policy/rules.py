"""A rule, parsed once: what the engine compiles. Whatever door a rule comes through, it comes by here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.policy.conditions import UNCONDITIONAL, Conditions, parse_countries, parse_systems, parse_window
from apps.policy.faults import RuleFault, check_text
from apps.policy.ports import Interval, holds, parse_ports
from apps.policy.selectors import Selector, parse_selector

PROTOCOLS = ("tcp", "udp", "icmp", "*")
ACTIONS = ("allow", "deny")
LAST_PRIORITY = 100_000
DEFAULT_PRIORITY = 100
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ports: empty for all. created_at, starts_at, expires_at: Unix seconds.

    It decides for what its ends, protocol, ports and conditions match, from starts_at until expires_at.
    """

    id: str
    name: str
    source: Selector
    destination: Selector
    protocol: str = "*"
    ports: tuple[Interval, ...] = ()
    action: str = "allow"
    priority: int = DEFAULT_PRIORITY
    conditions: Conditions = UNCONDITIONAL
    created_at: float = 0.0
    starts_at: float | None = None
    expires_at: float | None = None
    grant_id: str | None = None

    @property
    def order(self) -> tuple[int, float, str]:
        """Rules are asked in this order."""
        return self.priority, self.created_at, self.id

    @property
    def allows(self) -> bool:
        return self.action == "allow"

    def in_force(self, now: float) -> bool:
        """Between its start and its end; at the very second of its end it is over."""
        begun = self.starts_at is None or now >= self.starts_at
        return begun and (self.expires_at is None or now < self.expires_at)

    def speaks_of(self, protocol: str, port: int) -> bool:
        """Whether protocol and port match; port is ignored for icmp, which no rule with ports matches."""
        if protocol == "icmp":
            return self.protocol in ("*", "icmp") and not self.ports
        return self.protocol in ("*", protocol) and holds(self.ports, port)


def parse_rule(document: Mapping[str, Any]) -> Rule:
    """A rule from its columns, times as Unix seconds; RuleFault names the column that is wrong."""
    protocol = _one_of("protocol", document.get("protocol") or "*", PROTOCOLS)
    ports = parse_ports(document.get("ports") or "*")
    if ports and protocol == "icmp":
        raise RuleFault("ports", "ports: icmp has no ports; use *")
    return Rule(
        id=str(document["id"]),
        name=check_text("name", document.get("name"), longest=MAX_NAME),
        source=parse_selector(document.get("source"), "source"),
        destination=parse_selector(document.get("destination"), "destination"),
        protocol=protocol,
        ports=ports,
        action=_one_of("action", document.get("action") or "allow", ACTIONS),
        priority=_priority(document.get("priority", DEFAULT_PRIORITY)),
        conditions=Conditions(
            window=parse_window(
                document.get("time_hour"), document.get("day_of_week"), document.get("timezone")
            ),
            countries=parse_countries(document.get("source_country")),
            systems=parse_systems(document.get("source_os")),
            require_posture=bool(document.get("require_posture")),
            require_pqc=bool(document.get("require_pqc")),
        ),
        created_at=float(document.get("created_at") or 0),
        starts_at=document.get("starts_at"),
        expires_at=document.get("expires_at"),
        grant_id=document.get("jit_grant_id"),
    )


def _one_of(field: str, value: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value.lower() not in allowed:
        listed = " or ".join(repr(entry) for entry in allowed)
        raise RuleFault(field, f"{field} must be {listed}", grammar=False)
    return value.lower()


def _priority(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LAST_PRIORITY:
        raise RuleFault("priority", f"priority: must be 0 to {LAST_PRIORITY}", grammar=False)
    return value
