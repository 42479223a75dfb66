"""wireguard-go over its UAPI socket."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent.io.wireguard import PeerChange, PeerStatus
from wire.binary import Endpoint

UAPI_DIRECTORY = Path("/var/run/wireguard")
START_SECONDS = 5.0
STOP_SECONDS = 2.0
UAPI_SECONDS = 5.0
ENVIRONMENT = {"LOG_LEVEL": "error"}


class Served(Protocol):
    """The process that serves an interface; poll() gives None while it lives."""

    returncode: int | None

    def poll(self) -> int | None: ...


class WireGuardGo:
    """An interface served by a wireguard-go process of our own."""

    backend = "wireguard-go"

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._socket = UAPI_DIRECTORY / f"{interface}.sock"
        self._process: Served | None = None

    @staticmethod
    def available() -> bool:
        """Whether the program is installed."""
        return shutil.which("wireguard-go") is not None

    def open(self, *, private_key: bytes, listen_port: int, mark: int | None) -> None:
        """Start the process and configure the interface."""
        self._process = self._start()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                raise OSError(f"wireguard-go ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                self.close()
                raise OSError("wireguard-go did not answer")
            time.sleep(0.01)
        settings = [f"private_key={private_key.hex()}", f"listen_port={listen_port}"]
        self._set([*settings, *([] if mark is None else [f"fwmark={mark}"])])

    def apply(self, changes: Sequence[PeerChange]) -> None:
        """Write changes in one transaction."""
        if changes:
            self._set([line for change in changes for line in _lines(change)])

    def peers(self) -> Mapping[bytes, PeerStatus]:
        """State of every peer by public key."""
        return dict(_parse(self._call("get=1\n\n")))

    def alive(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the process; the interface goes with it."""
        if self._process is None:
            return
        self._end(self._process)
        self._process = None

    def _start(self) -> Served:
        remove_stale_socket(self._interface)
        return subprocess.Popen(
            self._command(),
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _end(self, process: Served) -> None:
        assert isinstance(process, subprocess.Popen)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        remove_stale_socket(self._interface)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(UAPI_SECONDS)
            connection.connect(str(self._socket))
        except OSError:
            connection.close()
            raise
        return connection

    def _command(self) -> list[str]:
        return ["wireguard-go", "-f", self._interface]

    def _set(self, lines: Sequence[str]) -> None:
        self._call("set=1\n" + "\n".join(lines) + "\n\n")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self._call("get=1\n\n")
            return True
        return False

    def _call(self, request: str) -> list[tuple[str, str]]:
        with self._connect() as connection:
            connection.sendall(request.encode())
            reply = bytearray()
            while not reply.endswith(b"\n\n"):
                part = connection.recv(65536)
                if not part:
                    raise OSError("wireguard-go closed its socket")
                reply += part
        pairs = [tuple(line.split("=", 1)) for line in reply.decode().split()]
        answer = [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]
        status = int(answer[-1][1])
        if status:
            raise OSError(abs(status), f"wireguard-go refused: {os.strerror(abs(status))}")
        return answer[:-1]


def remove_stale_socket(interface: str) -> None:
    """Remove the UAPI socket of an interface whose process is gone; OSError if one serves it."""
    path = UAPI_DIRECTORY / f"{interface}.sock"
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
    raise OSError(
        f"interface name {interface} is in use on this host; set QUICKZTNA_INTERFACE to another one"
    )


def _lines(change: PeerChange) -> Iterator[str]:
    yield f"public_key={change.public_key.hex()}"
    if change.remove:
        yield "remove=true"
        return
    if change.update_only:
        yield "update_only=true"
    if change.preshared_key is not None:
        yield f"preshared_key={change.preshared_key.hex()}"
    if change.endpoint is not None:
        yield f"endpoint={change.endpoint}"
    if change.keepalive_seconds is not None:
        yield f"persistent_keepalive_interval={change.keepalive_seconds}"
    if change.allowed_ips is not None:
        yield "replace_allowed_ips=true"
        for prefix in change.allowed_ips:
            yield f"allowed_ip={prefix}"


def _parse(answer: Sequence[tuple[str, str]]) -> Iterator[tuple[bytes, PeerStatus]]:
    key: bytes | None = None
    values: dict[str, str] = {}
    for name, value in [*answer, ("public_key", "")]:
        if name != "public_key":
            values[name] = value
            continue
        if key is not None:
            yield key, _status(values)
        key, values = bytes.fromhex(value), {}


def _status(values: Mapping[str, str]) -> PeerStatus:
    endpoint = values.get("endpoint")
    seconds = int(values.get("last_handshake_time_sec", "0"))
    return PeerStatus(
        endpoint=Endpoint.parse(endpoint) if endpoint else None,
        last_handshake=seconds + int(values.get("last_handshake_time_nsec", "0")) / 1e9 if seconds else 0.0,
        rx_bytes=int(values.get("rx_bytes", "0")),
        tx_bytes=int(values.get("tx_bytes", "0")),
    )
