"""Linux without root: the tunnel lives in namespaces of our own, the host stays as it is."""

import os
import shutil
import socket
from collections.abc import Sequence

from agent.errors import AgentError
from agent.io.wireguard import WireGuard
from agent.io.wireguard_go import WireGuardGo
from agent.platform.linux import Linux
from agent.rootless.namespace import Namespace
from agent.rootless.wireguard import InsideWireGuardGo


class Rootless(Linux):
    """Sockets of the tunnel come from the inside; addresses and networks are the host's own."""

    mode = "userspace"
    # Marking packets takes a privilege, and no route of this host leads into the tunnel anyway.
    mark: int | None = None

    def __init__(self) -> None:
        self.namespace = Namespace()

    def check_privileges(self) -> None:
        """It takes wireguard-go, and a TUN device that is open to this user."""
        if not WireGuardGo.available():
            raise AgentError("NO_WIREGUARD", "wireguard-go is not here. Install wireguard-go")
        if shutil.which("ip") is None:
            raise AgentError("NO_IPROUTE", "ip is missing. Install iproute2")
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise AgentError(
                "NO_TUN", "/dev/net/tun is missing or not open to this user. Run 'sudo ztna up' instead"
            )

    def wireguard(self, interface: str) -> WireGuard:
        """wireguard-go of the inside; makes the namespaces."""
        self.namespace.open()
        return InsideWireGuardGo(interface, self.namespace)

    def configure(self, interface: str, *, addresses: Sequence[str], routes: Sequence[str], mtu: int) -> None:
        """Inside there is nothing but the tunnel, so everything is routed there."""
        for address in addresses:
            self.namespace.run("ip", "address", "replace", address, "dev", interface)
        self.namespace.run("ip", "link", "set", "dev", interface, "mtu", str(mtu), "up")
        for family in ("-4", "-6") if any(":" in address for address in addresses) else ("-4",):
            self.namespace.run("ip", family, "route", "replace", "default", "dev", interface)

    def make_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that talks through the tunnel."""
        return self.namespace.make_socket(family, kind, protocol)

    def close(self) -> None:
        """End everything inside."""
        self.namespace.close()
