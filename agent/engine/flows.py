"""Flows as they are reported: events and counters of the kernel become rows, merged and bounded.

No I/O. Times are Unix seconds: they go to the control plane.
"""

import ipaddress
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from agent.engine.flowlog import ALLOWED, DENIED

MAX_ROWS: Final = 500
MAX_KNOWN: Final = 16_384
PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp"}
_PORTED: Final = ("tcp", "udp")
# Between an IPv6 header and its payload (RFC 8200, section 4): hop-by-hop, routing, destination options.
_EXTENSIONS: Final = (0, 43, 60)

# source, destination, protocol, port: what the kernel's counters are kept by.
Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """What a row is about. port: the destination's, 0 where there is none. rule_id None: no rule decided."""

    source: str
    destination: str
    protocol: str
    port: int
    verdict: str
    rule_id: str | None

    @property
    def key(self) -> Key:
        """What its packets are counted by."""
        return (self.source, self.destination, self.protocol, self.port)


@dataclass(slots=True)
class _Row:
    at: float
    packets: int = 0
    bytes: int = 0
    count: int = 0


class FlowTable:
    """Rows since the last take(). dropped: events there was no room for."""

    def __init__(self) -> None:
        self.dropped = 0
        self._rows: dict[Flow, _Row] = {}
        # Flows that began earlier and still run: their packets are put down to the rule that let them in.
        self._known: OrderedDict[Key, Flow] = OrderedDict()
        self._counted: Mapping[Key, tuple[int, int]] = {}

    def note(self, prefix: str, packet: bytes, now: float) -> None:
        """The kernel told of a packet, from its IP header on; prefix names verdict and rule."""
        found = parse(prefix, packet)
        if found is None:
            return
        flow, length = found
        row = self._row(flow, now)
        if row is None:
            self.dropped += 1
            return
        row.count += 1
        if flow.verdict == "deny" or flow.protocol not in _PORTED:
            row.packets, row.bytes = row.packets + 1, row.bytes + length
            return
        self._known[flow.key] = flow
        self._known.move_to_end(flow.key)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def measure(self, counters: Mapping[Key, tuple[int, int]], now: float) -> None:
        """The kernel's counters, (packets, bytes) by key; one that fell began anew."""
        for key, (packets, size) in counters.items():
            before_packets, before_size = self._counted.get(key, (0, 0))
            if packets < before_packets:
                before_packets = before_size = 0
            flow = self._known.get(key)
            row = self._row(flow, now) if flow and packets > before_packets else None
            if row is not None:
                row.packets += packets - before_packets
                row.bytes += size - before_size
        self._counted = dict(counters)

    def take(self) -> tuple[list[dict[str, Any]], int]:
        """(rows as they travel, events dropped) since the last time."""
        rows = [{"at": row.at, **asdict(flow), **_figures(row)} for flow, row in self._rows.items()]
        dropped, self.dropped, self._rows = self.dropped, 0, {}
        return rows, dropped

    def _row(self, flow: Flow, now: float) -> _Row | None:
        row = self._rows.get(flow)
        if row is None and len(self._rows) < MAX_ROWS:
            row = self._rows[flow] = _Row(now)
        return row


def parse(prefix: str, packet: bytes) -> tuple[Flow, int] | None:
    """(flow, length of the whole packet) of a packet's first bytes; None for what is no IP packet of ours."""
    verdict = {ALLOWED: "allow", DENIED: "deny"}.get(prefix[:2])
    try:
        addresses, protocol, offset, length = _header(packet)
        name = PROTOCOLS.get(protocol, str(protocol))
        port = struct.unpack_from(">H", packet, offset + 2)[0] if name in _PORTED else 0
    except (struct.error, ValueError, IndexError):
        return None
    if verdict is None:
        return None
    # A rule without an id is named by its place (#0), which means nothing elsewhere.
    rule = prefix[2:]
    return Flow(*addresses, name, port, verdict, rule if rule and not rule.startswith("#") else None), length


def _header(packet: bytes) -> tuple[tuple[str, str], int, int, int]:
    """((source, destination), protocol, where its header begins, length) of IPv4 or IPv6."""
    if packet[0] >> 4 == 4:
        length, protocol = struct.unpack_from(">H", packet, 2)[0], packet[9]
        ends = (str(ipaddress.IPv4Address(packet[at : at + 4])) for at in (12, 16))
        return (next(ends), next(ends)), protocol, (packet[0] & 0xF) * 4, length
    if packet[0] >> 4 != 6:
        raise ValueError("no IP packet")
    length, protocol, offset = struct.unpack_from(">H", packet, 4)[0] + 40, packet[6], 40
    ends = (str(ipaddress.IPv6Address(packet[at : at + 16])) for at in (8, 24))
    while protocol in _EXTENSIONS:
        protocol, offset = packet[offset], offset + (packet[offset + 1] + 1) * 8
    return (next(ends), next(ends)), protocol, offset, length


def _figures(row: _Row) -> dict[str, int]:
    return {"packets": row.packets, "bytes": row.bytes, "count": row.count}
