"""Which kind of UDP port this machine has: shared with WireGuard where raw sockets are allowed."""

from agent.io.owned import Data, OwnedPort
from agent.io.port import Receive, SharedPort, shareable
from agent.platform import Platform
from agent.settings import Settings
from agent.tunnel import free_port, loopback_port

Port = SharedPort | OwnedPort


class Ports:
    """The numbers of the agent's port and of WireGuard's; open() makes the agent's."""

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self._mark = platform.mark
        self.owned = settings.port == "owned" or platform.mode == "userspace" or not shareable()
        self.number = free_port()
        self.wireguard = loopback_port() if self.owned else self.number

    def open(self, *, receive: Receive, data: Data) -> Port:
        """receive gets disco and STUN; data what else comes to an owned port."""
        if self.owned:
            return OwnedPort(self.number, mark=self._mark, receive=receive, data=data)
        return SharedPort(self.number, mark=self._mark, receive=receive)
