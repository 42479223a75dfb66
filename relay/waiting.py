"""Connections that have not become WebSockets yet: few per address, bounded in all, for a short time."""

import socket
from typing import Final, Generic, TypeVar

MAX_WAITING: Final = 4096
MAX_PER_ADDRESS: Final = 256
HANDSHAKE_SECONDS: Final = 10.0

T = TypeVar("T")


class WaitingRoom(Generic[T]):
    """Who waits, since when, and from where. A crowd at one address is told to come back later,
    a crowd from everywhere displaces whoever has waited longest."""

    def __init__(self) -> None:
        self._since: dict[T, tuple[float, str]] = {}
        self._per_address: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._since)

    def admits(self, host: str) -> bool:
        """Whether one more may come from this IP address."""
        return self._per_address.get(_source(host), 0) < MAX_PER_ADDRESS

    def enter(self, who: T, host: str, now: float) -> T | None:
        """Begin to wait; returns who has to make room."""
        source = _source(host)
        self._since[who] = (now, source)
        self._per_address[source] = self._per_address.get(source, 0) + 1
        return next(iter(self._since)) if len(self._since) > MAX_WAITING else None

    def leave(self, who: T) -> None:
        """The wait is over; harmless for who does not wait."""
        entry = self._since.pop(who, None)
        if entry is None:
            return
        source = entry[1]
        self._per_address[source] -= 1
        if not self._per_address[source]:
            del self._per_address[source]

    def overdue(self, now: float) -> list[T]:
        """Who has waited too long."""
        found = []
        for who, (since, _) in self._since.items():
            if now - since < HANDSHAKE_SECONDS:
                break  # in order of arrival
            found.append(who)
        return found


def _source(host: str) -> str:
    """An IPv6 customer has a whole /64 to come from, so it counts as one address."""
    if ":" not in host:
        return host
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return packed[:8].hex()
