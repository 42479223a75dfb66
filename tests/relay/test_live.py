"""Server and client over real TLS sockets on loopback."""

import asyncio
import secrets
import ssl

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from relay.client import RelayClient
from relay.core import Limits, RelayCore
from relay.run import bind
from relay.server import RelayServer
from relay.tls import server_context
from relay.tokens import TokenVerifier
from tests.lab.pki import Authority
from tests.relay.signer import Signer
from wire import relay as frames

HOST = "relay.test"


class Relay:
    def __init__(self, directory):
        self.control = Signer()
        verifier = TokenVerifier(region="test1")
        verifier.load(self.control.jwks().encode())
        self.core = RelayCore(verify=verifier.verify, random=secrets.token_bytes, limits=Limits())
        authority = Authority(directory)
        self.ca_file = authority.ca_file
        self.server = RelayServer(self.core, server_context(*authority.issue(HOST)))

    def start(self):
        self.server.listen(bind("127.0.0.1", 0))
        self.port = self.server.port
        return self

    def client(self, **options):
        return Client(self, **options)


class Client:
    """A RelayClient with what it heard."""

    def __init__(self, relay, token=None, **claims):
        private = X25519PrivateKey.generate()
        self.key = private.public_key().public_bytes_raw()
        self.received, self.gone, self.states = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.link = RelayClient(
            host=HOST,
            port=relay.port,
            addresses=["127.0.0.1"],
            disco_private=private.private_bytes_raw(),
            token=lambda: token or relay.control.token(self.key, **{"regions": ("test1",), **claims}),
            on_datagrams=lambda key, segment, data: self.received.put_nowait((key, segment, bytes(data))),
            on_state=lambda up, reason: self.states.put_nowait((up, reason)),
            on_peer_gone=self.gone.put_nowait,
            ca_file=str(relay.ca_file),
        )
        self.task = asyncio.create_task(self.link.run())

    async def up(self):
        assert await asyncio.wait_for(self.states.get(), 5) == (True, None)
        return self


@pytest.fixture
async def relay(tmp_path):
    relay = Relay(tmp_path).start()
    yield relay
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    relay.server.stop_listening()


async def test_batches_cross_the_relay_unchanged(relay):
    alpha, beta = await relay.client().up(), await relay.client().up()
    for size in (1, 1280, 15_000, frames.MAX_PAYLOAD_BYTES):
        payload = secrets.token_bytes(size)
        assert alpha.link.send(beta.key, min(size, 1280), payload)
        assert await asyncio.wait_for(beta.received.get(), 5) == (alpha.key, min(size, 1280), payload)


async def test_a_missing_peer_is_reported(relay):
    alpha = await relay.client().up()
    missing = secrets.token_bytes(32)
    alpha.link.send(missing, 4, b"abcd")
    assert await asyncio.wait_for(alpha.gone.get(), 5) == missing


@pytest.mark.parametrize(
    "claims",
    [{"life": -40}, {"regions": ["other"]}, {"audience": "quickztna-api"}],
    ids=["expired", "foreign region", "wrong audience"],
)
async def test_tokens_that_are_not_for_this_relay_are_refused(relay, claims):
    client = relay.client(**claims)
    up, reason = await asyncio.wait_for(client.states.get(), 5)
    assert (up, reason) == (False, "refused: INVALID_TOKEN")
    assert not client.link.send(client.key, 4, b"abcd")


async def test_a_token_signed_by_somebody_else_is_refused(relay):
    client = relay.client(token=Signer().token(secrets.token_bytes(32), regions=("test1",)))
    assert await asyncio.wait_for(client.states.get(), 5) == (False, "refused: INVALID_TOKEN")


async def test_a_restart_sends_clients_away_and_they_return(relay):
    alpha = await relay.client().up()
    await relay.server.leave()
    up, _ = await asyncio.wait_for(alpha.states.get(), 10)
    assert not up
    await alpha.up()


async def test_tls_1_2_is_refused(relay):
    context = ssl.create_default_context(cafile=str(relay.ca_file))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", relay.port, ssl=context, server_hostname=HOST)


async def test_the_probe_answers_and_other_paths_do_not(relay):
    async with httpx.AsyncClient(verify=False) as http:
        base = f"https://127.0.0.1:{relay.port}"
        assert (await http.get(base + frames.PROBE_PATH)).status_code == 200
        assert (await http.get(base + "/admin")).status_code == 404
