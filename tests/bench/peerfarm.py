"""Both ends of `./dev bench peers`: one agent's network, and a farm of peers that answer it.

    python -m tests.bench.peerfarm agent|farm SEED COUNT OWN_ADDRESS OTHER_ADDRESS DIRECTORY

Paths, pings and key renewals are real and go through real sockets. WireGuard's handshakes are
played: the agent's wireguard-go knows every peer but talks to none, so that what is measured is an
agent with many quiet peers and not a processor full of handshakes.
"""

import asyncio
import contextlib
import hashlib
import json
import math
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.engine.keyring import Keyring, PairKey
from agent.io.port import SharedPort
from agent.io.wireguard import PeerStatus
from agent.io.wireguard_go import WireGuardGo
from agent.keys import MachineKeys
from agent.network import Network
from agent.state import Store
from tests.bench.measure import progress
from wire.binary import Endpoint
from wire.netmap import Netmap, Peer, SelfNode

AGENT_PORT, FIRST_PORT = 21641, 22000
REKEY_SECONDS = 120
POLL_SECONDS, SETTLING_SECONDS = 1.0, 0.1
AGENT = 0


def keys_of(seed: str, number: int) -> MachineKeys:
    """The same keys in both processes; number 0 is the agent."""
    raw = hashlib.shake_256(f"{seed}/{number}".encode()).digest(160)
    return MachineKeys(
        identity=Ed25519PrivateKey.from_private_bytes(raw[:32]).private_bytes_raw(),
        wireguard=X25519PrivateKey.from_private_bytes(raw[32:64]).private_bytes_raw(),
        disco=X25519PrivateKey.from_private_bytes(raw[64:96]).private_bytes_raw(),
        mlkem=raw[96:],
    )


def keyring(seed: str, number: int, other: bytes) -> dict[str, object]:
    """What a machine remembers of a pair that agreed before."""
    psk = hashlib.sha256(f"{seed}/{number}/psk".encode()).digest()
    return Keyring(PairKey(0, psk)).to_json(other)


def peer(number: int, keys: MachineKeys, endpoint: Endpoint) -> Peer:
    """A machine as the map shows it."""
    address = f"100.64.{number >> 8}.{number & 255}"
    own = keys.announcement()
    name = f"peer{number}"
    return Peer(name, name, f"{name}.bench", address, online=True, endpoints=(str(endpoint),), **own)


def netmap(own: int, peers: list[Peer]) -> Netmap:
    """A map of these peers."""
    node = SelfNode(f"peer{own}", f"peer{own}", f"peer{own}.bench", f"100.64.{own >> 8}.{own & 255}")
    return Netmap(1, node, {entry.machine_id: entry for entry in peers})


class Sessions:
    """Handshakes as they would be: one when the peer has an endpoint, and every 120 s from then on."""

    backend = "played"

    def __init__(self) -> None:
        self.began: dict[bytes, tuple[Endpoint, float]] = {}

    def apply(self, changes):  # type: ignore[no-untyped-def]
        """Note endpoints."""
        for change in changes:
            if change.endpoint is not None:
                since = self.began.get(change.public_key, (None, time.time() + 0.2))[1]
                self.began[change.public_key] = change.endpoint, since

    def peers(self) -> dict[bytes, PeerStatus]:
        """Every peer with its played session."""
        now = time.time()
        return {
            key: PeerStatus(endpoint, since + (now - since) // REKEY_SECONDS * REKEY_SECONDS, 0, 0)
            for key, (endpoint, since) in self.began.items()
            if since <= now
        }


class QuietWireGuard(WireGuardGo):
    """wireguard-go with every peer, told nothing that would make it talk."""

    def __init__(self, interface: str) -> None:
        super().__init__(interface)
        self._sessions = Sessions()

    def apply(self, changes):  # type: ignore[no-untyped-def]
        """Write all but endpoints and keepalives."""
        self._sessions.apply(changes)
        super().apply([replace(change, endpoint=None, keepalive_seconds=None) for change in changes])

    def peers(self):  # type: ignore[no-untyped-def]
        """Ask the process, then play the sessions."""
        return {**super().peers(), **self._sessions.peers()}


class FarmPort(asyncio.DatagramProtocol):
    """One peer of the farm: its network, its socket, its timer."""

    def __init__(self, seed: str, number: int, agent: Peer) -> None:
        self.port, self._timer = FIRST_PORT + number, None
        keys = keys_of(seed, number)
        files = {f"psk/{keys_of(seed, AGENT).wireguard_public.hex()}.json"}
        stored = keyring(seed, number, keys_of(seed, AGENT).wireguard_public)

        class Memory:
            load_json = staticmethod(lambda name: stored if name in files else None)
            save_json = remove = staticmethod(lambda *arguments: None)

        self.network = Network(
            store=Memory(),  # type: ignore[arg-type]
            keys=keys,
            wireguard=Sessions(),  # type: ignore[arg-type]
            port=self,  # type: ignore[arg-type]
            send_relayed=lambda key, size, packet: False,
        )
        self._map = netmap(number, [agent])

    def connection_made(self, transport):  # type: ignore[no-untyped-def]
        """Begin."""
        self._transport = transport
        self.network.apply(self._map, time.monotonic())
        self._poll()

    def send(self, endpoint: Endpoint, packet: bytes, ttl: int | None) -> None:
        """A disco packet to the agent."""
        self._transport.sendto(packet, tuple(endpoint))

    def inject(self, *arguments: object) -> bool:
        """Nothing comes by relay here."""
        return False

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """A disco packet of the agent."""
        self.network.receive_direct(data, Endpoint(*address[:2]), time.monotonic())
        self._arm()

    def _poll(self) -> None:
        self.network.poll(time.monotonic())
        asyncio.get_running_loop().call_later(5, self._poll)
        self._arm()

    def _due(self) -> None:
        self.network.handle_timeout(time.monotonic())
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.network.next_timeout()
        self._timer = None
        if not math.isinf(due):
            self._timer = asyncio.get_running_loop().call_at(due, self._due)


async def farm(seed: str, count: int, own: str, other: str) -> None:
    """All peers, until killed."""
    agent = peer(AGENT, keys_of(seed, AGENT), Endpoint(other, AGENT_PORT))
    for number in range(1, count + 1):
        port = FarmPort(seed, number, agent)
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda port=port: port, local_addr=(own, port.port)
        )
    await asyncio.Event().wait()


async def agent(seed: str, count: int, other: str, directory: Path, interface: str) -> None:
    """The agent's network as its daemon runs it; counts go to a file."""
    store, keys = Store(directory / "state"), keys_of(seed, AGENT)
    peers = []
    for number in range(1, count + 1):
        their = keys_of(seed, number)
        document = keyring(seed, number, their.wireguard_public)
        store.save_json(f"psk/{their.wireguard_public.hex()}.json", document)
        peers.append(peer(number, their, Endpoint(other, FIRST_PORT + number)))
    wireguard, wake = QuietWireGuard(interface), asyncio.Event()
    wireguard.open(private_key=keys.wireguard, listen_port=AGENT_PORT, mark=0)

    def receive(packet: bytes, source: Endpoint) -> None:
        network.receive_direct(packet, source, time.monotonic())
        wake.set()

    port = SharedPort(AGENT_PORT, mark=0, receive=receive)
    network = Network(
        store=store, keys=keys, wireguard=wireguard, port=port, send_relayed=lambda *arguments: False
    )
    port.start()
    began = time.monotonic()
    network.apply(netmap(AGENT, peers), began)
    progress(f"map of {count} peers applied in {time.monotonic() - began:.2f} s")
    polled = written = -math.inf
    while True:
        now = time.monotonic()
        pace = SETTLING_SECONDS if network.settling() else POLL_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, min(network.next_timeout(), polled + pace) - now)):
                await wake.wait()
        wake.clear()
        now = time.monotonic()
        network.handle_timeout(now)
        if now >= polled + pace:
            polled = now
            network.poll(now)
        if now > written + 2:
            written = now
            links = network.links.values()
            figures = {
                "direct": sum(link.path.direct is not None for link in links),
                "verified": sum(link.pqc == "verified" for link in links),
                "renewed": sum(link.psk.keys.current.epoch > 0 for link in links if link.psk.keys.current),
                "wireguard_pid": wireguard._process.pid if wireguard._process else 0,
            }
            (directory / "figures.new").write_text(json.dumps(figures))
            (directory / "figures.new").replace(directory / "figures.json")


def main() -> None:
    """Become one of the two."""
    role, seed, count, own, other, directory, interface = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if role == "farm":
        asyncio.run(farm(seed, int(count), own, other))
    else:
        asyncio.run(agent(seed, int(count), other, Path(directory), interface))


if __name__ == "__main__":
    main()
