"""Tailscale's `derper` under the load of our own relay, on machines that have it on the PATH.

Two feeds, as DERP carries one datagram a frame: `single` sends each frame in a TLS record of its own,
which is what DERP clients do; `bulk` puts as many into a record as our frames hold, which is more than
any client of it does. Its queue is made long enough for the window, so that nothing is dropped.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from nacl.public import Box, PrivateKey, PublicKey

from relay.http import find_head, parse_response
from relay.tls import client_context
from relay.tls.session import TlsContext
from relay.transport import TlsStream
from tests.bench.measure import cpu_seconds, pin, progress
from tests.bench.relay_load import DATAGRAM, HOST, STAMP_BYTES, await_listener
from tests.lab.pki import Authority
from tests.services import free_port

WINDOW_DATAGRAMS = 600
QUEUE_DATAGRAMS = 1024
_MAGIC = b"DERP\xf0\x9f\x94\x91"
_SERVER_KEY, _CLIENT_INFO, _SERVER_INFO, _SEND, _RECV = 1, 2, 3, 4, 5
_HEADER_BYTES, _KEY_BYTES = 5, 32


@contextlib.contextmanager
def derper_process(directory: Path) -> Iterator[tuple[int, int, Path]]:
    """(pid, port, CA file) of a derper on loopback and on the second core."""
    program = shutil.which("derper")
    assert program is not None
    authority = Authority(directory)
    certificate, _ = authority.issue(HOST, "127.0.0.1")
    shutil.copy(certificate, directory / f"{HOST}.crt")
    port = free_port()
    command = [program, "-a", f"127.0.0.1:{port}", "-http-port", "-1", "-stun=false"]
    command += ["-certmode", "manual", "-certdir", str(directory), "-hostname", HOST]
    process = subprocess.Popen(
        [*command, "-c", str(directory / "derper.json")],
        env={**os.environ, "TS_DEBUG_DERP_PER_CLIENT_SEND_QUEUE_DEPTH": str(QUEUE_DATAGRAMS)},
        stderr=subprocess.DEVNULL,
        # Before its first thread starts, so that all of them stay there.
        preexec_fn=lambda: pin(0, 1),
    )
    try:
        await_listener(port)
        yield process.pid, port, authority.ca_file
    finally:
        process.terminate()
        process.wait(10)


class End:
    """A DERP client that counts the datagrams which arrive, and compares each."""

    def __init__(self, port: int, tls: TlsContext) -> None:
        self._private = PrivateKey.generate()
        self.key = bytes(self._private.public_key)
        self.filling = b""
        self.count = self.damaged = 0
        self.latencies: list[float] = []
        self.ready, self.arrived = asyncio.Event(), asyncio.Event()
        self.ended: str | None = None
        self._upgraded = False
        self.stream = TlsStream(socket.create_connection(("127.0.0.1", port)), tls, self, host=HOST)

    def established(self) -> None:
        """Ask for the upgrade."""
        head = f"GET /derp HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n"
        self.stream.send(head.encode())

    def received(self, data: memoryview) -> int:
        """Take whole frames."""
        at, size = 0, len(data)
        if not self._upgraded:
            found = find_head(bytes(data))
            if found is None:
                return 0
            assert parse_response(found[0]).status == 101
            self._upgraded, at = True, found[1]
        now = time.monotonic_ns()
        while size - at >= _HEADER_BYTES:
            length = int.from_bytes(data[at + 1 : at + _HEADER_BYTES], "big")
            end = at + _HEADER_BYTES + length
            if end > size:
                break
            self._take(data[at], data[at + _HEADER_BYTES : end], now)
            at = end
        self.arrived.set()
        return at

    def writable(self) -> None:
        """Nothing waits to be sent."""

    def closed(self, reason: str) -> None:
        """It is over."""
        self.ended = reason
        self.arrived.set()

    def frames_for(self, other: "End", count: int) -> bytes:
        """So many datagrams, with the time in front of each."""
        stamp = time.monotonic_ns().to_bytes(STAMP_BYTES, "big")
        return count * (_frame(_SEND, other.key + stamp + other.filling))

    def _take(self, kind: int, payload: memoryview, now: int) -> None:
        if kind == _RECV:
            self.count += 1
            self.damaged += payload[_KEY_BYTES + STAMP_BYTES :] != self.filling
            stamp = payload[_KEY_BYTES : _KEY_BYTES + STAMP_BYTES]
            self.latencies.append((now - int.from_bytes(stamp, "big")) / 1000)
        elif kind == _SERVER_KEY:
            assert payload[: len(_MAGIC)] == _MAGIC
            box = Box(self._private, PublicKey(bytes(payload[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES])))
            info = json.dumps({"version": 2, "CanAckPings": False}).encode()
            # Nonce and box as NaCl writes them.
            self.stream.send(_frame(_CLIENT_INFO, self.key + bytes(box.encrypt(info))))
        elif kind == _SERVER_INFO:
            self.ready.set()


def _frame(kind: int, payload: bytes) -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(4, "big") + payload


async def measure(pid: int, port: int, ca_file: Path, per_record: int, seconds: float) -> dict[str, float]:
    """CPU per datagram of both feeds, and the latency at 1,000 datagrams a second."""
    tls = client_context(str(ca_file))
    sender, receiver = End(port, tls), End(port, tls)
    for end in (sender, receiver):
        end.filling = os.urandom(DATAGRAM - STAMP_BYTES)
        await asyncio.wait_for(end.ready.wait(), 10)
    figures: dict[str, float] = {}
    for name, count in (("bulk", per_record), ("single", 1)):
        progress(f"derper, {name}: {count} frames a record")
        await _load(sender, receiver, count, 1)
        before = cpu_seconds(pid)
        carried = await _load(sender, receiver, count, seconds)
        figures[f"derper_{name}_us_per_datagram"] = round((cpu_seconds(pid) - before) / carried * 1e6, 3)
        figures[f"derper_{name}_datagrams"] = carried
    receiver.latencies.clear()
    await _load(sender, receiver, 1, min(seconds, 3), rate=1000)
    figures["derper_single_p50_us"] = round(statistics.median(receiver.latencies), 1)
    figures["derper_damaged"] = receiver.damaged
    for end in (sender, receiver):
        end.stream.abort()
    return figures


async def _load(
    sender: End, receiver: End, per_record: int, seconds: float, rate: float | None = None
) -> int:
    """Send for a while, or at a rate; returns the datagrams that arrived, which are all."""
    sent, before = 0, receiver.count
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sender.stream.send(sender.frames_for(receiver, per_record))
        sent += per_record
        if rate:
            await asyncio.sleep(1 / rate)
        await _arrive(receiver, before + sent - WINDOW_DATAGRAMS)
        if per_record == 1 or sent % (per_record * 8) == 0:
            await asyncio.sleep(0)
    await _arrive(receiver, before + sent)
    return sent


async def _arrive(receiver: End, count: int) -> None:
    while receiver.count < count:
        receiver.arrived.clear()
        await asyncio.wait_for(receiver.arrived.wait(), 5)
        if receiver.ended:
            raise SystemExit(f"derper closed a connection: {receiver.ended}")
