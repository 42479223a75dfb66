"""What the engine is told of the network: machines and the state of the organisation, as plain values."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from apps.policy.selectors import ANYONE, Atom, Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """A machine as rules see it.

    status: online, offline, pending or quarantined. barred: locked, disabled or its key has expired.
    groups: names of segmentation and IdP groups, casefolded. carries: networks that it may carry for
    others. country: of its public address, None if unknown. posture_ok: None if nothing was reported.
    posture_restricted: posture keeps it from tagged machines. threat_blocked: a fresh threat was found.
    """

    id: str
    name: str
    addresses: tuple[str, ...]
    status: str = "online"
    barred: bool = False
    tags: frozenset[str] = frozenset()
    owner_id: str | None = None
    owner_email: str | None = None
    owner_role: str | None = None
    groups: frozenset[str] = frozenset()
    os: str = "unknown"
    country: str | None = None
    public_address: str | None = None
    posture_ok: bool | None = None
    posture_restricted: bool = False
    pqc: bool = False
    threat_blocked: bool = False
    carries: tuple[str, ...] = ()

    @property
    def admitted(self) -> bool:
        """Whether it is part of the network at all."""
        return self.status in ("online", "offline") and not self.barred

    def atoms(self) -> Iterator[Atom]:
        """What a selector may name it by, networks apart."""
        yield ANYONE
        yield "machine", self.id
        for address in self.addresses:
            yield "ip", address
        for tag in self.tags:
            yield "tag", tag
        for group in self.groups:
            yield "group", group
        for name in (self.owner_id, self.owner_email):
            if name:
                yield "user", name.casefold()

    def networks(self) -> Iterator[Address]:
        """Its addresses, parsed."""
        return map(ipaddress.ip_address, self.addresses)

    def carried(self) -> Iterator[Network]:
        """The networks that it carries, parsed."""
        return map(ipaddress.ip_network, self.carries)


@dataclass(frozen=True, slots=True)
class World:
    """An organisation's machines by id, and its switches."""

    machines: Mapping[str, MachineFacts] = field(default_factory=dict)
    default_deny: bool = True
    lockdown: bool = False
