"""The packet filter of one machine, compiled by the control plane from policy.

Each peer names the chain that judges what comes from it (`Peer.inbound`), and peers with equal rights
share a chain: one machine that comes or goes changes one peer, never the filter.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wire.binary import WireError
from wire.documents import build, entries, mapping, texts
from wire.schedule import Window

ACTIONS = ("accept", "drop")
PROTOCOLS = ("any", "tcp", "udp", "icmp")
# A rule may take four lines: TCP and UDP, to the machine and to what is behind it.
MAX_LINES = 50_000
MAX_BLOCKED = 10_000
MAX_WINDOWS = 8
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One line of a chain; the first that matches decides, and none means drop.

    protocol: any, tcp, udp, icmp (ICMPv6 too) or an IP protocol number in text. ports: "443" or
    "8000-8100", empty for all. destinations: networks behind this machine, empty for its own addresses.
    windows: the rule is in force while all of them are open, from not_before until not_after (Unix seconds,
    the end excluded). The machine keeps to them by itself; a rule that is not in force matches nothing.
    """

    action: str
    protocol: str = "any"
    ports: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    rule_id: str | None = None
    windows: tuple[Window, ...] = ()
    not_before: int | None = None
    not_after: int | None = None

    @classmethod
    def from_json(cls, document: Any) -> "FilterRule":
        """Parse one rule; what passes here may go to nftables."""
        windows = entries(mapping(document).get("windows"), limit=MAX_WINDOWS)
        rule = build(cls, document, windows=tuple(map(Window.from_json, windows)))
        number = rule.protocol.isdecimal() and int(rule.protocol) <= 255
        if rule.action not in ACTIONS or not (number or rule.protocol in PROTOCOLS):
            raise WireError("filter rule: unknown action or protocol")
        for text in texts(list(rule.ports)):
            port_range(text)
        for text in texts(list(rule.destinations)):
            _network(text)
        return rule

    def in_force(self, now: float) -> bool:
        """Whether it counts at this Unix time."""
        begun = self.not_before is None or now >= self.not_before
        ended = self.not_after is not None and now >= self.not_after
        return begun and not ended and all(window.active(now) for window in self.windows)


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """Chains by name. version is a content hash. log: whether flows are told to the control plane."""

    version: str
    chains: Mapping[str, tuple[FilterRule, ...]] = field(default_factory=dict)
    log: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document as it travels."""
        chains = {name: [asdict(rule) for rule in rules] for name, rules in self.chains.items()}
        return {"version": self.version, "chains": chains, "log": self.log}

    def in_force(self, now: float) -> "PacketFilter":
        """The filter as it is at this Unix time, its rules free of conditions of time."""
        chains = {
            name: tuple(rule for rule in rules if rule.in_force(now)) for name, rules in self.chains.items()
        }
        return PacketFilter(self.version, chains, self.log)

    def next_change(self, now: float) -> float | None:
        """The next Unix time at which a rule comes into force or ceases to be; None if never."""
        rules = [rule for chain in self.chains.values() for rule in chain]
        ends = {float(at) for rule in rules for at in (rule.not_before, rule.not_after) if at is not None}
        turns = {window.next_change(now) for window in {w for rule in rules for w in rule.windows}}
        return min((at for at in ends | turns if at is not None and at > now), default=None)

    @classmethod
    def from_json(cls, document: Any) -> "PacketFilter":
        """Parse a filter; WireError names the first thing that is wrong."""
        chains = mapping(mapping(document).get("chains"))
        return build(
            cls,
            document,
            chains={
                str(name): tuple(FilterRule.from_json(rule) for rule in entries(rules, limit=MAX_LINES))
                for name, rules in chains.items()
            },
        )


@dataclass(frozen=True, slots=True)
class BlockedIps:
    """Networks that are dropped whatever a rule says. version is a content hash."""

    version: str
    ips: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> "BlockedIps":
        """Parse the list; WireError if an entry is no network."""
        blocked = build(cls, document)
        for text in texts(list(blocked.ips), limit=MAX_BLOCKED):
            _network(text)
        return blocked


def port_range(text: str) -> tuple[int, int]:
    """(first, last) of "443" or "8000-8100"; WireError for anything else."""
    first, _, last = text.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= MAX_PORT):
        raise WireError(f"not a port or a range of ports: {text!r}")
    return int(first), int(last)


def _network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise WireError(f"not a network: {text!r}") from None
