"""What differs between operating systems, behind one interface."""

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.errors import AgentError
from agent.io.wireguard import WireGuard


class Platform(Protocol):
    """The host as the daemon needs it. Errors are AgentError or OSError."""

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


def current() -> Platform:
    """The platform of this process."""
    if sys.platform == "linux":
        from agent.platform.linux import Linux

        return Linux()
    raise AgentError("UNSUPPORTED", f"the tunnel is not built for {sys.platform} yet; Linux is")
