"""A relay process under load, and raw connections that load it at little cost of their own."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from relay import websocket
from relay.client import RelayClient
from relay.session import ClientSession
from relay.tls import TlsContext
from tests.bench.measure import pin
from tests.lab.pki import Authority
from tests.relay.signer import Signer
from tests.services import free_port
from wire import relay as frames

HOST, REGION = "relay.bench", "bench"
ROOT = Path(__file__).resolve().parents[2]
DATAGRAM = 1280
STAMP_BYTES = 8


@contextlib.contextmanager
def relay_process(
    directory: Path, signer: Signer, *, port: int | None = None
) -> Iterator[tuple[int, int, Path]]:
    """(pid, port, CA file) of a relay on loopback, pinned to the second core; ends by SIGTERM."""
    ca_file = directory / "ca.pem"
    if not ca_file.exists():
        Authority(directory).issue(HOST, "127.0.0.1")
    jwks = directory / "jwks.json"
    jwks.write_text(signer.jwks())
    port = port or free_port()
    environment = {
        "QZRELAY_REGION": REGION,
        "QZRELAY_CERTIFICATE": str(directory / f"{HOST}.pem"),
        "QZRELAY_PRIVATE_KEY": str(directory / f"{HOST}.key"),
        "QZRELAY_JWKS": str(jwks),
        "QZRELAY_LISTEN": "127.0.0.1",
        "QZRELAY_PORT": str(port),
        "QZRELAY_STUN_PORT": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "relay"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        pin(process.pid, 1)
        await_listener(port)
        yield process.pid, port, ca_file
    finally:
        process.terminate()
        process.wait(10)


def await_listener(port: int) -> None:
    """Wait until somebody takes connections there."""
    for _ in range(200):
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise TimeoutError("nobody listens")


def resident_mb(pid: int) -> float:
    """Physical memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no memory of process {pid}")


def descriptors(pid: int) -> int:
    """Open files of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def percentile(values: list[float], share: float) -> float:
    """Nearest-rank percentile."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def make_client(port: int, tls: TlsContext, signer: Signer, **callbacks) -> tuple[RelayClient, bytes]:  # type: ignore[no-untyped-def]
    """(client, its key), not running yet."""
    private = X25519PrivateKey.generate()
    key = private.public_key().public_bytes_raw()
    token = signer.token(key, regions=(REGION,), life=24 * 3600)
    defaults = {
        "on_datagrams": lambda *_: None,
        "on_state": lambda *_: None,
        "on_peer_gone": lambda _: None,
    }
    client = RelayClient(
        host=HOST,
        port=port,
        addresses=["127.0.0.1"],
        disco_private=private.private_bytes_raw(),
        token=lambda: token,
        tls=tls,
        **(defaults | callbacks),
    )
    return client, key


class Flow:
    """One datagram a frame from one connection to another, checked, without a client's bookkeeping.

    The receiver knows what every byte must be but for the time stamps, so it compares instead of
    parsing.
    """

    def __init__(self, sender: "RawSession", receiver: "RawSession", key: bytes) -> None:
        self.sender, self.receiver = sender, receiver
        payload = os.urandom(DATAGRAM)
        frame = frames.encode_data(frames.SEND, key, DATAGRAM, payload)
        self.frame = websocket.header(len(frame), masked=True) + frame
        self.offered = 0

    def offer(self, count: int) -> None:
        """Frames to be sent, unless the link is full: then they are lost here, as in any queue."""
        self.offered += count
        if not self.sender.stream.full:
            self.sender.stream.send(self.frame * count)


class RawSession(ClientSession):
    """Counts the data frames that arrive, and checks that all of a connection are the same."""

    def __init__(self, *arguments) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments)
        self.count = self.damaged = 0
        self._expected = b""
        self._kept_alive = self._loop.create_task(self.keep_alive())

    def received(self, data: memoryview) -> int:
        self._heard = self._loop.time()
        if not self.registered.is_set() or data[0] != websocket.BINARY or data[1] != 126:
            return super().received(data)
        size = 4 + (data[2] << 8 | data[3])
        whole = len(data) // size
        if len(self._expected) < whole * size:
            self._expected = bytes(data[:size]) * (256 * 1024 // size + 1)
        if bytes(data[: whole * size]) != self._expected[: whole * size]:
            # Something else came in between: take one frame at a time.
            return super().received(data)
        self.count += whole
        return whole * size

    def _take(self, message: frames.FromServer) -> None:
        if isinstance(message, frames.Recv):
            self.count += 1
            self.damaged += not self._expected.endswith(bytes(message.payload))
        else:
            super()._take(message)


async def open_session(port: int, tls: TlsContext, signer: Signer) -> tuple[RawSession, bytes]:
    """(registered session, its key)."""
    client, key = make_client(port, tls, signer)
    sock = socket.create_connection(("127.0.0.1", port))
    session = RawSession(sock, tls, HOST, client)
    async with asyncio.timeout(10):
        await session.registration()
    assert session.registered.is_set(), session.reason
    return session, key


async def open_flow(port: int, tls: TlsContext, signer: Signer) -> Flow:
    """A sender and a receiver of their own."""
    sender, _ = await open_session(port, tls, signer)
    receiver, key = await open_session(port, tls, signer)
    return Flow(sender, receiver, key)


async def drive(flows: list[Flow], rate: float, seconds: float) -> tuple[float, float]:
    """Offer rate frames a second over all flows; (offered, delivered) per second."""
    for flow in flows:
        flow.offered = flow.receiver.count = 0
    began = last = time.monotonic()
    owed = 0.0
    while last - began < seconds:
        await asyncio.sleep(0.001)
        now = time.monotonic()
        owed += rate * (now - last)
        last = now
        each = int(owed) // len(flows)
        owed -= each * len(flows)
        for flow in flows:
            # Small writes: a polite flow must not wait for the load generator itself.
            for start in range(0, each, 64):
                flow.offer(min(64, each - start))
    if any(session.ended.is_set() for flow in flows for session in (flow.sender, flow.receiver)):
        raise SystemExit("the relay closed a connection under load")
    elapsed = last - began
    offered = sum(flow.offered for flow in flows) / elapsed
    return offered, sum(flow.receiver.count for flow in flows) / elapsed


class Polite:
    """A pair that exchanges a few frames a second and notes how long each took, in ms."""

    def __init__(self, port: int, tls: TlsContext, signer: Signer) -> None:
        self._ups = asyncio.Semaphore(0)
        self.latencies: list[float] = []
        self.sent = 0
        up = lambda connected, reason: self._ups.release() if connected else None  # noqa: E731
        self._sender, _ = make_client(port, tls, signer, on_state=up)
        self._receiver, self._key = make_client(port, tls, signer, on_state=up, on_datagrams=self._take)
        self._tasks = [asyncio.create_task(link.run()) for link in (self._sender, self._receiver)]

    async def up(self) -> None:
        """Wait until both are registered."""
        for _ in self._tasks:
            await asyncio.wait_for(self._ups.acquire(), 10)

    async def talk(self, rate: float) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(1 / rate)
            stamp = time.monotonic_ns().to_bytes(STAMP_BYTES, "big")
            self.sent += self._sender.send(self._key, 200, stamp + bytes(192))

    async def close(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, key: bytes, segment: int, payload: memoryview) -> None:
        sent_at = int.from_bytes(payload[:STAMP_BYTES], "big")
        self.latencies.append((time.monotonic_ns() - sent_at) / 1e6)
