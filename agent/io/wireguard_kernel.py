"""The kernel's WireGuard over netlink."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from agent.io.wireguard import PeerChange, PeerStatus
from wire.binary import Endpoint, decode_key, encode_key

_T = TypeVar("_T")
_PROBE = "qztna-probe"
_CALL_SECONDS = 10


class KernelWireGuard:
    """An interface of kind wireguard."""

    backend = "kernel"

    def __init__(self, interface: str) -> None:
        self._interface = interface
        # pyroute2 runs an event loop of its own, which it can't inside ours.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="netlink")

    @staticmethod
    def available() -> bool:
        """Whether the kernel can make such a link: it is tried, for a module may load on demand."""
        made = _ip("link", "add", _PROBE, "type", "wireguard").returncode == 0
        if made:
            _ip("link", "del", _PROBE)
        return made

    def open(self, *, private_key: bytes, listen_port: int, mark: int | None) -> None:
        """Make and configure the link."""
        made = _ip("link", "add", self._interface, "type", "wireguard")
        if made.returncode:
            raise OSError(made.stderr.strip() or "the kernel refused the WireGuard link")
        self._call(
            lambda wireguard: wireguard.set(
                self._interface,
                private_key=encode_key(private_key),
                listen_port=listen_port,
                fwmark=mark or 0,
            )
        )

    def apply(self, changes: Sequence[PeerChange]) -> None:
        """Write changes, one netlink message each."""

        def write(wireguard: Any) -> None:
            for change in changes:
                wireguard.set(self._interface, peer=_peer(change))

        if changes:
            self._call(write)

    def peers(self) -> Mapping[bytes, PeerStatus]:
        """State of every peer by public key."""
        messages = self._call(lambda wireguard: list(wireguard.info(self._interface)))
        return {
            decode_key(peer.get_attr("WGPEER_A_PUBLIC_KEY").decode(), 32): _status(peer)
            for message in messages
            for peer in message.get_attr("WGDEVICE_A_PEERS") or ()
        }

    def alive(self) -> bool:
        """Whether the link is there."""
        return _ip("link", "show", "dev", self._interface).returncode == 0

    def close(self) -> None:
        """Remove the link."""
        _ip("link", "del", self._interface)
        self._thread.shutdown()

    def _call(self, operation: Callable[[Any], _T]) -> _T:
        def run() -> _T:
            # Only hosts with the module pay for it: the package takes 0.2 s to import.
            from pyroute2 import WireGuard

            with WireGuard() as wireguard:
                return operation(wireguard)

        return self._thread.submit(run).result(_CALL_SECONDS)


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=10)


def _peer(change: PeerChange) -> dict[str, Any]:
    peer: dict[str, Any] = {"public_key": encode_key(change.public_key)}
    if change.remove:
        return {**peer, "remove": True}
    if change.update_only:
        peer["update_only"] = True
    if change.preshared_key is not None:
        peer["preshared_key"] = encode_key(change.preshared_key)
    if change.endpoint is not None:
        peer["endpoint_addr"], peer["endpoint_port"] = change.endpoint
    if change.keepalive_seconds is not None:
        peer["persistent_keepalive"] = change.keepalive_seconds
    if change.allowed_ips is not None:
        peer["replace_allowed_ips"] = True
        peer["allowed_ips"] = list(change.allowed_ips)
    return peer


def _status(peer: Any) -> PeerStatus:
    endpoint = peer.get_attr("WGPEER_A_ENDPOINT")
    seconds = peer.get_attr("WGPEER_A_LAST_HANDSHAKE_TIME") or {}
    return PeerStatus(
        endpoint=Endpoint(endpoint["addr"], endpoint["port"]) if endpoint else None,
        last_handshake=seconds.get("tv_sec", 0) + seconds.get("tv_nsec", 0) / 1e9,
        rx_bytes=peer.get_attr("WGPEER_A_RX_BYTES") or 0,
        tx_bytes=peer.get_attr("WGPEER_A_TX_BYTES") or 0,
    )
