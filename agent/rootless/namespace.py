"""The daemon's end of the namespaces: sockets and processes inside, by way of the holder."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from agent.errors import AgentError
from agent.rootless.holder import MAX_MESSAGE, RUN_SECONDS

START_SECONDS = 10.0


class Process:
    """A process inside, with the part of Popen's interface that is used here."""

    def __init__(self, namespace: "Namespace", pid: int) -> None:
        self._namespace, self.pid = namespace, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, or None while it lives."""
        if self.returncode is None:
            try:
                self.returncode = self._namespace.ask("poll", pid=self.pid)["status"]
            except OSError:
                self.returncode = -9  # it ended with the holder
        return self.returncode

    def end(self, *, kill: bool) -> None:
        """Ask it to end, or end it."""
        with contextlib.suppress(OSError):
            self._namespace.ask("end", pid=self.pid, kill=kill)


class Namespace:
    """Made by open(); AgentError NO_NAMESPACE where this host forbids it. Calls raise OSError."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._link: socket.socket | None = None
        self._holder: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Start the holder; calling it again is harmless."""
        if self._link is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._holder = subprocess.Popen(
                [sys.executable, "-m", "agent.rootless.holder", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.settimeout(START_SECONDS)
        self._link = ours
        try:
            self._receive()
        except OSError as error:
            self.close()
            raise AgentError(
                "NO_NAMESPACE", f"this host allows no user namespace ({error}); run with sudo instead"
            ) from None
        ours.settimeout(RUN_SECONDS + 5)

    def close(self) -> None:
        """End the holder and everything inside."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._holder is not None:
            try:
                self._holder.wait(3)
            except subprocess.TimeoutExpired:
                self._holder.kill()
                self._holder.wait()
            self._holder = None

    def make_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of the inside, as socket.socket() makes one outside."""
        wanted = {"family": int(family), "kind": int(kind), "protocol": protocol}
        _, descriptors = self._exchange("socket", wanted)
        return socket.socket(family, kind, protocol, fileno=descriptors[0])

    def connect(self, path: str) -> socket.socket:
        """A stream to a Unix socket of the inside."""
        _, descriptors = self._exchange("connect", {"path": path})
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptors[0])

    def run(self, *argv: str) -> str:
        """Run a command to its end and return its standard output."""
        done = self.ask("run", argv=list(argv))
        if done["status"]:
            raise OSError(f"{' '.join(argv)}: {str(done['stderr']).strip()}")
        return str(done["stdout"])

    def start(self, argv: Sequence[str], environment: Mapping[str, str]) -> Process:
        """Start a process inside; it ends with the namespaces."""
        return Process(self, self.ask("start", argv=list(argv), environment=dict(environment))["pid"])

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One request and its answer."""
        answer, descriptors = self._exchange(do, arguments)
        assert not descriptors
        return answer

    def _exchange(self, do: str, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            if self._link is None:
                raise OSError("the namespaces are gone")
            self._link.send(json.dumps({"do": do, **arguments}).encode())
            return self._receive()

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        assert self._link is not None
        data, descriptors, _, _ = socket.recv_fds(self._link, MAX_MESSAGE, 1)
        if not data:
            raise OSError("the namespaces are gone")
        answer = json.loads(data)
        if "error" in answer:
            raise OSError(answer["errno"], answer["error"])
        return answer, descriptors
