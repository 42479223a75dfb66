"""One visit to a region as a machine would make it: TLS, a frame there and back, STUN."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from apps.core.api.signing import sign
from apps.core.outward import Refused, addresses_of, check_public
from relay.client import RelayClient
from relay.tls import TlsContext, client_context
from wire import stun
from wire.binary import WireError, encode_key
from wire.netmap import RelayRegion
from wire.numbers import RELAY_TOKEN_AUDIENCE

PROBE_SECONDS = 5.0
TOKEN_SECONDS = 60
# No organisation has this id, so that a probe meets nobody but itself.
NOBODY = "00000000-0000-0000-0000-000000000000"
_PAYLOAD_BYTES = 32


@dataclass(frozen=True, slots=True)
class Visit:
    """What was found. reason is what went wrong, None if nothing did; latency is that of the frame."""

    healthy: bool
    latency_ms: float | None = None
    tls_group: str | None = None
    reason: str | None = None


class Unreachable(Exception):
    """The region does not do what a relay does; the text says what."""


class Stranger:
    """A machine that never was: a key, and a token of a minute for it."""

    def __init__(self, region: RelayRegion) -> None:
        private = X25519PrivateKey.generate()
        self.private, self.key = private.private_bytes_raw(), private.public_key().public_bytes_raw()
        claims = {"sub": NOBODY, "org": NOBODY, "key": encode_key(self.key), "regions": [region.region_code]}
        self.token = sign(claims, audience=RELAY_TOKEN_AUDIENCE, seconds=TOKEN_SECONDS)


Pair = tuple[Stranger, Stranger]


def visit(region: RelayRegion, pair: Pair, *, private: bool, ca_file: str | None = None) -> Visit:
    """Have a pair made for the region visit it, within PROBE_SECONDS; threads may do this.

    private: it may lie inside a network. ca_file replaces the system's authorities. What the name
    resolves to is looked at once and then called, so that it cannot lead elsewhere in between.
    """
    try:
        address = _address(region, private=private)
        return asyncio.run(_visit(region, address, pair, ca_file))
    except TimeoutError:
        return Visit(False, reason="no answer in time")
    except (Unreachable, Refused, OSError) as error:
        return Visit(False, reason=str(error) or type(error).__name__)


def _address(region: RelayRegion, *, private: bool) -> str:
    given = [address for address in (region.ipv4, region.ipv6) if address]
    found = given or addresses_of(region.hostname, region.derp_port)
    if not private:
        check_public(found)
    return found[0]


async def _visit(region: RelayRegion, address: str, pair: Pair, ca_file: str | None) -> Visit:
    tls = client_context(ca_file)
    async with asyncio.timeout(PROBE_SECONDS):
        (latency, group), _ = await asyncio.gather(
            _echo(region, address, pair, tls), _ask_stun(address, region.stun_port)
        )
    return Visit(True, round(latency * 1000, 1), group)


async def _echo(region: RelayRegion, address: str, pair: Pair, tls: TlsContext) -> tuple[float, str | None]:
    """Seconds that a frame takes from one end to the other, and the group of the TLS handshake."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[float] = loop.create_future()
    payload = os.urandom(_PAYLOAD_BYTES)

    def received(key: bytes, segment: int, batch: memoryview) -> None:
        if bytes(batch) == payload and not arrived.done():
            arrived.set_result(loop.time())

    ends = [_End(region, address, stranger, tls, received) for stranger in pair]
    tasks = [asyncio.create_task(end.client.run()) for end in ends]
    try:
        for end in ends:
            await end.up
        began = time.monotonic()
        ends[0].client.send(pair[1].key, _PAYLOAD_BYTES, payload)
        await arrived
        return time.monotonic() - began, ends[0].client.tls_group
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _End:
    """The link of one of them."""

    def __init__(
        self,
        region: RelayRegion,
        address: str,
        stranger: Stranger,
        tls: TlsContext,
        received: Callable[[bytes, int, memoryview], None],
    ) -> None:
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client = RelayClient(
            host=region.hostname,
            port=region.derp_port,
            addresses=[address],
            disco_private=stranger.private,
            token=lambda: stranger.token,
            on_datagrams=received,
            on_state=self._state,
            on_peer_gone=lambda key: None,
            tls=tls,
        )

    def _state(self, connected: bool, reason: str | None) -> None:
        if self.up.done():
            return
        if connected:
            self.up.set_result(None)
        else:
            self.up.set_exception(Unreachable(reason or "closed by the relay"))


class _Answer(asyncio.DatagramProtocol):
    """Waits for the answer to one binding request."""

    def __init__(self, txid: bytes) -> None:
        self._txid = txid
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = stun.parse(data)
        except WireError:
            return
        if message.txid == self._txid and message.mapped_endpoint() and not self.heard.done():
            self.heard.set_result(None)

    def error_received(self, exc: Exception) -> None:
        if not self.heard.done():
            self.heard.set_exception(Unreachable("no STUN server"))


async def _ask_stun(address: str, port: int) -> None:
    txid = os.urandom(stun.TXID_BYTES)
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_datagram_endpoint(
        lambda: _Answer(txid), remote_addr=(address, port)
    )
    try:
        for wait in (0.5, 1.0, PROBE_SECONDS):
            transport.sendto(stun.binding_request(txid))
            await asyncio.wait((answer.heard,), timeout=wait)
            if answer.heard.done():
                return answer.heard.result()
    except TimeoutError:
        raise Unreachable("no STUN server") from None
    finally:
        transport.close()
