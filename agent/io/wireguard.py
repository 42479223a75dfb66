"""WireGuard behind one interface: the kernel's own, or wireguard-go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wire.binary import Endpoint


@dataclass(frozen=True, slots=True)
class PeerChange:
    """What to write for one peer; None leaves a field as it is. Keys are 32 raw bytes.

    update_only keeps a change from resurrecting a peer that was removed meanwhile.
    """

    public_key: bytes
    preshared_key: bytes | None = None
    endpoint: Endpoint | None = None
    keepalive_seconds: int | None = None
    allowed_ips: Sequence[str] | None = None
    update_only: bool = True
    remove: bool = False


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What WireGuard says of a peer. last_handshake is Unix time, 0 for never."""

    endpoint: Endpoint | None
    last_handshake: float
    rx_bytes: int
    tx_bytes: int


class WireGuard(Protocol):
    """One tunnel interface. Errors are OSError."""

    backend: str

    def open(self, *, private_key: bytes, listen_port: int, mark: int | None) -> None:
        """Make the interface, without addresses and down."""

    def apply(self, changes: Sequence[PeerChange]) -> None:
        """Write changes; a peer is never removed and re-added to change it."""

    def peers(self) -> Mapping[bytes, PeerStatus]:
        """State of every peer by public key."""

    def alive(self) -> bool:
        """Whether the interface is still served."""

    def close(self) -> None:
        """Remove the interface."""
