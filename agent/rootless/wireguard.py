"""wireguard-go inside the namespaces."""

import socket
import time

from agent.io.wireguard_go import ENVIRONMENT, STOP_SECONDS, UAPI_SECONDS, Served, WireGuardGo
from agent.rootless.namespace import Namespace, Process

# /run of the inside is empty, and wireguard-go makes no folders above its own.
_MAKE_FOLDER = ("mkdir", "-p", "/run/wireguard")


class InsideWireGuardGo(WireGuardGo):
    """As outside, but started, reached and ended by way of the holder."""

    def __init__(self, interface: str, namespace: Namespace) -> None:
        super().__init__(interface)
        self._namespace = namespace

    def _start(self) -> Process:
        self._namespace.run(*_MAKE_FOLDER)
        return self._namespace.start(self._command(), ENVIRONMENT)

    def _end(self, process: Served) -> None:
        assert isinstance(process, Process)
        process.end(kill=False)
        deadline = time.monotonic() + STOP_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is None:
            process.end(kill=True)

    def _connect(self) -> socket.socket:
        connection = self._namespace.connect(str(self._socket))
        connection.settimeout(UAPI_SECONDS)
        return connection
