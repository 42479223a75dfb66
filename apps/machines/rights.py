"""Who may send what to whom. Whoever knows better than "everybody everything" registers here."""

import uuid
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from wire.filter import FilterRule

if TYPE_CHECKING:
    from apps.machines.netmap import MapNode

Chain = tuple[FilterRule, ...]
EVERYTHING_CHAIN = "all"


@dataclass(frozen=True, slots=True)
class Reach:
    """Machines between which rights may have changed, from any of the one to any of the other."""

    sources: Set[str] = field(default_factory=frozenset)
    destinations: Set[str] = field(default_factory=frozenset)

    def others(self, machine_id: str) -> Set[str]:
        """Whom this machine must look at again."""
        found: Set[str] = self.sources if machine_id in self.destinations else frozenset()
        return found | self.destinations if machine_id in self.sources else found


class Rights(Protocol):
    """The rights of one snapshot, by machine ids. It never changes."""

    def inbound(self, source: str, destination: str) -> tuple[str, Chain] | None:
        """(name, lines) of the chain that judges what source sends to destination; None for nothing.

        At one destination sources whose chains have the same name have the same chain.
        """

    def judge(self, viewer: str, peer: str, now: float) -> tuple[bool, str | None]:
        """Whether either may ever send something to the other from this Unix time on, and the name of the
        chain for what the peer sends.
        """


class RightsFeed(Protocol):
    """Brings the rights of one organisation forward, version by version."""

    def load(self, nodes: Mapping[str, "MapNode"]) -> Rights:
        """All anew."""

    def advance(
        self, nodes: Mapping[str, "MapNode"], changed: Set[str], *, policy: bool
    ) -> tuple[Rights, tuple[Reach, ...]]:
        """After machines changed, and rules if policy; and what that may have changed between others."""


class Everything:
    """Everybody may send everything to everybody, and to what the destination carries."""

    def __init__(self, nodes: Mapping[str, "MapNode"]) -> None:
        self._nodes = nodes

    def inbound(self, source: str, destination: str) -> tuple[str, Chain] | None:
        """One chain for all."""
        carried = self._nodes[destination].carries
        more = (FilterRule("accept", destinations=carried),) if carried else ()
        return EVERYTHING_CHAIN, (FilterRule("accept"), *more)

    def judge(self, viewer: str, peer: str, now: float) -> tuple[bool, str | None]:
        """Always."""
        return True, EVERYTHING_CHAIN


class EverythingFeed:
    """What an organisation has that nobody made rules for."""

    def load(self, nodes: Mapping[str, "MapNode"]) -> Rights:
        """The same for all."""
        return Everything(nodes)

    def advance(
        self, nodes: Mapping[str, "MapNode"], changed: Set[str], *, policy: bool
    ) -> tuple[Rights, tuple[Reach, ...]]:
        """Nothing changes between others."""
        return Everything(nodes), ()


_source: list[Callable[[uuid.UUID], RightsFeed]] = [lambda org_id: EverythingFeed()]


def provide_rights(source: Callable[[uuid.UUID], RightsFeed]) -> None:
    """Register who knows the rights of an organisation."""
    _source[:] = [source]


def rights_feed(org_id: uuid.UUID) -> RightsFeed:
    """The feed of an organisation, for one reader."""
    return _source[0](org_id)
