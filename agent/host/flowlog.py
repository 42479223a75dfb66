"""The kernel's log of flows: its events by nfnetlink_log, its counters by nft."""

import asyncio
import json
import logging
import struct
import time
from collections.abc import Iterator
from typing import Any

from agent.engine.flowlog import COUNTED, SNAP_BYTES
from agent.engine.flows import FlowTable, Key
from agent.host import netlink
from agent.host.program import run

logger = logging.getLogger("agent.flows")

# linux/netfilter/nfnetlink_log.h
_PACKET, _CONFIG = 4 << 8, 4 << 8 | 1
_CFG_CMD, _CFG_MODE, _BIND, _COPY_PACKET = 1, 2, 1, 2
_PAYLOAD, _PREFIX = 9, 10
# One process may hear a group; another one may have taken the first.
_GROUPS = range(20_566, 20_570)
_BUFFER_BYTES = 1 << 20
_DATAGRAMS_AT_ONCE = 64


class FlowLog:
    """Open while flows are logged; then group is the one that the filter tells."""

    def __init__(self) -> None:
        self.group: int | None = None
        self.table = FlowTable()
        self._channel: Any = None
        self._hopeless = False

    def want(self, wanted: bool) -> int | None:
        """Open or close; the group to tell, None when nothing is wanted or this kernel can't."""
        if not wanted:
            self.close()
        elif self.group is None and not self._hopeless:
            try:
                self._open()
            except OSError as error:
                self.give_up(error)
        return self.group

    def give_up(self, error: OSError) -> None:
        """Packets must be filtered whether or not they can be logged."""
        logger.warning("flows can't be logged on this host: %s", error)
        self._hopeless = True
        self.close()

    def close(self) -> None:
        """Hear no more; what was not reported is dropped."""
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
        self.group = self._channel = None
        self.table = FlowTable()

    def collect(self, table: str | None, now: float) -> tuple[list[dict[str, Any]], int]:
        """(rows, events dropped) since the last time. table: the filter's. OSError when nft fails."""
        if table is not None:
            self.table.measure(dict(_counters(table)), now)
        return self.table.take()

    def _open(self) -> None:
        channel = netlink.open_netfilter(0, _BUFFER_BYTES)
        try:
            self.group = _bind(channel)
        except OSError:
            channel.close()
            raise
        self._channel = channel
        asyncio.get_running_loop().add_reader(channel, self._hear)

    def _hear(self) -> None:
        now = time.time()
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                datagram = self._channel.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError:
                # ENOBUFS: more came than the socket holds; how much is not told.
                self.table.dropped += 1
                return
            for kind, body in netlink.messages(datagram):
                if kind == _PACKET:
                    found = dict(netlink.attributes(body))
                    prefix = found.get(_PREFIX, b"").rstrip(b"\0").decode("ascii", "replace")
                    self.table.note(prefix, found.get(_PAYLOAD, b""), now)


def _bind(channel: Any) -> int:
    """Hear the first group that nobody else does; its number."""
    for group in _GROUPS:
        try:
            netlink.ask(channel, _CONFIG, group, netlink.attribute(_CFG_CMD, bytes((_BIND,))))
        except OSError:
            if group == _GROUPS[-1]:
                raise
            continue
        mode = struct.pack(">IBB", SNAP_BYTES, _COPY_PACKET, 0)
        netlink.ask(channel, _CONFIG, group, netlink.attribute(_CFG_MODE, mode))
        return group
    raise AssertionError("unreachable")


def _counters(table: str) -> Iterator[tuple[Key, tuple[int, int]]]:
    """What nft counted, by flow. A table that was just made anew has no sets for a moment: nothing."""
    for name in COUNTED:
        listing = json.loads(run("nft", "-nj", "list", "set", "inet", table, name))
        for entry in listing["nftables"]:
            for element in entry.get("set", {}).get("elem", ()):
                source, destination, protocol, port = element["elem"]["val"]["concat"]
                counter = element["elem"]["counter"]
                protocol = {6: "tcp", 17: "udp"}.get(protocol, protocol)
                yield (source, destination, protocol, port), (counter["packets"], counter["bytes"])
