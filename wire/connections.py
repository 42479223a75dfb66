"""What the control plane asks of a machine about its open connections, and what it is answered: counts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from wire.binary import WireError
from wire.documents import build, entries, mapping
from wire.filter import MAX_PORT, PacketFilter

CAPABILITY: Final = "connections-v1"
MAX_PEERS: Final = 5000
MAX_CUT: Final = 200
MAX_CONNECTIONS: Final = 2**31 - 1
_MAX_TEXT: Final = 64


@dataclass(frozen=True, slots=True)
class FilterTrial:
    """A filter that may come. inbound: the peers that it means something else for, each with its chain
    there, None for nothing at all.
    """

    inbound: Mapping[str, str | None]
    packet_filter: PacketFilter

    def to_json(self) -> dict[str, Any]:
        """The document as it travels."""
        return {"inbound": dict(self.inbound), "packet_filter": self.packet_filter.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FilterTrial":
        """Parse a trial; WireError names the first thing that is wrong."""
        inbound = dict(mapping(document.get("inbound"), limit=MAX_PEERS))
        packet_filter = PacketFilter.from_json(document.get("packet_filter"))
        if not all(name is None or name in packet_filter.chains for name in inbound.values()):
            raise WireError("a peer's chain is not in the filter")
        return cls(inbound, packet_filter)


@dataclass(frozen=True, slots=True)
class CutConnections:
    """Open connections of one kind. port: the destination's, 0 where there is none. rule_id: what lets
    them in now, None where no rule of the organisation does.
    """

    peer_machine_id: str
    protocol: str
    port: int
    rule_id: str | None
    connections: int

    @classmethod
    def from_json(cls, document: Any) -> "CutConnections":
        """Parse one kind; WireError if a number or a text is out of bounds."""
        cut = build(cls, document)
        texts = (cut.peer_machine_id, cut.protocol, cut.rule_id or "")
        sizes = 0 <= cut.port <= MAX_PORT and 1 <= cut.connections <= MAX_CONNECTIONS
        if not sizes or max(map(len, texts)) > _MAX_TEXT:
            raise WireError("counted connections are out of bounds")
        return cut


@dataclass(frozen=True, slots=True)
class Counted:
    """A machine's answer: the kinds with most connections, and how many connections of other kinds."""

    cut: tuple[CutConnections, ...] = field(default_factory=tuple)
    more: int = 0

    def to_json(self) -> dict[str, Any]:
        """The document as it travels."""
        return {"cut": [asdict(kind) for kind in self.cut], "more": self.more}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Counted":
        """Parse an answer; WireError names the first thing that is wrong."""
        cut = tuple(map(CutConnections.from_json, entries(document.get("cut"), limit=MAX_CUT)))
        more = document.get("more", 0)
        if not isinstance(more, int) or isinstance(more, bool) or not 0 <= more <= MAX_CONNECTIONS:
            raise WireError("more must be a number of connections")
        return cls(cut, more)
