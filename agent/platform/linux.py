"""Linux: iproute2 for the interface, netlink to hear of changes."""

import asyncio
import contextlib
import ipaddress
import json
import os
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.errors import AgentError
from agent.host.program import run
from agent.io.wireguard import WireGuard
from agent.io.wireguard_go import WireGuardGo
from agent.io.wireguard_kernel import KernelWireGuard
from agent.platform import MARK

_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100


class Linux:
    """This host."""

    mode = "tun"
    mark: int | None = MARK

    def make_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Any socket: the host's routes lead into the tunnel."""
        return socket.socket(family, kind, protocol)

    def close(self) -> None:
        """Nothing is left."""

    def check_privileges(self) -> None:
        """The tunnel needs root and a TUN device."""
        if os.geteuid() != 0:
            raise AgentError("PERMISSION_DENIED", "making a tunnel needs root. Run 'sudo ztna up'")
        if not Path("/dev/net/tun").exists():
            raise AgentError("NO_TUN", "/dev/net/tun is missing. Run 'modprobe tun'")
        if shutil.which("nft") is None:
            # Without it everything in the network would reach every service of this host.
            raise AgentError("NO_FILTER", "nft is missing, so nothing would be filtered. Install nftables")

    def wireguard(self, interface: str) -> WireGuard:
        """The kernel's, where it can; else wireguard-go."""
        if KernelWireGuard.available():
            return KernelWireGuard(interface)
        if WireGuardGo.available():
            return WireGuardGo(interface)
        raise AgentError(
            "NO_WIREGUARD", "neither the kernel's WireGuard nor wireguard-go is here. Install wireguard-go"
        )

    def configure(self, interface: str, *, addresses: Sequence[str], routes: Sequence[str], mtu: int) -> None:
        """Addresses, MTU, routes."""
        for address in addresses:
            run("ip", "address", "replace", address, "dev", interface)
        run("ip", "link", "set", "dev", interface, "mtu", str(mtu), "up")
        for route in routes:
            run("ip", "route", "replace", route, "dev", interface)

    def local_addresses(self, *, excluding: str) -> list[str]:
        """Global addresses of links that are up."""
        found = []
        for link in json.loads(run("ip", "-j", "address", "show", "up")):
            if link.get("ifname") == excluding or "LOOPBACK" in link.get("flags", ()):
                continue
            for entry in link.get("addr_info", ()):
                address = entry.get("local")
                if entry.get("scope") == "global" and address and not entry.get("temporary"):
                    found.append(str(ipaddress.ip_address(address)))
        return found

    def watch_network(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Listen to the kernel's notices; their content does not matter."""
        loop = asyncio.get_running_loop()
        notices = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        notices.setblocking(False)
        notices.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))

        def readable() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    try:
                        notices.recv(65536)
                    except OSError as error:
                        if isinstance(error, BlockingIOError):
                            raise
                        break  # ENOBUFS: notices were lost, which is a change as well
            changed()

        def end() -> None:
            loop.remove_reader(notices)
            notices.close()

        loop.add_reader(notices, readable)
        return end
