"""What differs between operating systems, behind one interface."""

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.errors import AgentError
from agent.io.wireguard import WireGuard

# On every packet of the agent and of WireGuard, so that an exit node never loops them.
MARK = 0x515A


class Platform(Protocol):
    """The host as the daemon needs it. Errors are AgentError or OSError.

    mode is tun, or userspace where programs of the host do not see the tunnel; mark is the firewall
    mark of the agent's own packets, where it may mark them.
    """

    mode: str
    mark: int | None

    def check_privileges(self) -> None:
        """AgentError that says what is missing to make a tunnel."""

    def wireguard(self, interface: str) -> WireGuard:
        """The best WireGuard of this host, not yet open."""

    def configure(self, interface: str, *, addresses: Sequence[str], routes: Sequence[str], mtu: int) -> None:
        """Addresses with prefix length and routes of the tunnel interface, and bring it up."""

    def local_addresses(self, *, excluding: str) -> list[str]:
        """Addresses by which peers on the same network may reach this host."""

    def watch_network(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` on the event loop when links or addresses change; returns its end."""

    def make_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket whose packets take the tunnel where an address is behind it."""

    def close(self) -> None:
        """Give back what is not the tunnel's own."""


def current(*, userspace: bool = False) -> Platform:
    """The platform of this process. userspace: without root, or as if without."""
    if sys.platform == "linux":
        if userspace:
            from agent.platform.rootless import Rootless

            return Rootless()
        from agent.platform.linux import Linux

        return Linux()
    raise AgentError("UNSUPPORTED", f"the tunnel is not built for {sys.platform} yet; Linux is")
