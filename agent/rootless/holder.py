"""`python -m agent.rootless.holder FD`: makes the namespaces, and acts inside them for the daemon.

Requests are JSON datagrams on a socket pair, answered one by one: {"do": name, ...} -> {...} or
{"error": text, "errno": number}; sockets travel beside the answer. It ends with the daemon.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_PR_SET_PDEATHSIG = 1
MAX_MESSAGE = 256 * 1024
RUN_SECONDS = 10

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """New namespaces, where we are root (user_namespaces(7)); OSError where that is forbidden."""
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    # wireguard-go keeps its control socket in /run/wireguard, which is not ours outside.
    _check(_libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True, timeout=RUN_SECONDS)


class Holder:
    """Answers requests until the daemon goes."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def serve(self) -> None:
        """One request after the other."""
        try:
            while request := self._link.recv(MAX_MESSAGE):
                self._answer(json.loads(request))
        finally:
            for child in self._children.values():
                child.kill()

    def _answer(self, request: dict[str, Any]) -> None:
        made: socket.socket | None = None
        try:
            answer = getattr(self, f"do_{request.pop('do')}")(**request)
            if isinstance(answer, socket.socket):
                made, answer = answer, {}
        except OSError as error:
            answer = {"error": error.strerror or str(error), "errno": error.errno}
        except subprocess.SubprocessError as error:
            answer = {"error": str(error), "errno": None}
        self._say(answer, made)

    def _say(self, answer: dict[str, Any], made: socket.socket | None = None) -> None:
        with made or contextlib.nullcontext():
            socket.send_fds(self._link, [json.dumps(answer).encode()], [made.fileno()] if made else [])

    def greet(self, answer: dict[str, Any]) -> None:
        """The first message: {} or what went wrong."""
        self._say(answer)

    def do_socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """A socket of the inside."""
        return socket.socket(family, kind, protocol)

    def do_connect(self, path: str) -> socket.socket:
        """A stream to a Unix socket of the inside."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.connect(path)
        except OSError:
            made.close()
            raise
        return made

    def do_run(self, argv: list[str]) -> dict[str, Any]:
        """Run a command to its end."""
        done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_SECONDS)
        return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    def do_start(self, argv: list[str], environment: dict[str, str]) -> dict[str, Any]:
        """Start a process that ends with us."""
        child = subprocess.Popen(
            argv,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        self._children[child.pid] = child
        return {"pid": child.pid}

    def do_poll(self, pid: int) -> dict[str, Any]:
        """The exit status of a child, or null while it lives."""
        return {"status": self._children[pid].poll()}

    def do_end(self, pid: int, kill: bool) -> dict[str, Any]:
        """Ask a child to end, or end it."""
        child = self._children[pid]
        child.kill() if kill else child.terminate()
        return {}


def end_with_parent() -> None:
    """Be killed when the parent dies (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _check(status: int) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main() -> None:
    """Enter, greet, serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    holder = Holder(socket.socket(fileno=int(sys.argv[1])))
    try:
        enter()
    except (OSError, subprocess.SubprocessError) as error:
        holder.greet({"error": str(error), "errno": getattr(error, "errno", None)})
        return
    holder.greet({})
    holder.serve()


if __name__ == "__main__":
    main()
