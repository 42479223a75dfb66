"""Server and client over real TLS sockets on loopback."""

import asyncio
import contextlib
import gc
import secrets
import socket
import ssl

import httpx
import pytest

from relay.client import _dial, handshake
from relay.core import Limits
from relay.tls import HYBRID_GROUP, TlsError, server_context
from tests.lab.pki import Authority
from tests.relay.live import HOST, Relay, open_tls
from tests.relay.signer import Signer
from wire import relay as frames


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
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await open_tls(relay, maximum_version=ssl.TLSVersion.TLSv1_2)


async def test_the_probe_answers_and_other_paths_do_not(relay):
    async with httpx.AsyncClient(verify=False) as http:
        base = f"https://127.0.0.1:{relay.port}"
        assert (await http.get(base + frames.PROBE_PATH)).status_code == 200
        assert (await http.get(base + "/admin")).status_code == 404


async def test_the_link_is_hybrid(relay):
    alpha = await relay.client().up()
    assert alpha.link.tls_group == HYBRID_GROUP
    assert relay.server.groups[HYBRID_GROUP] == 1
    assert await handshake(HOST, relay.port, ["127.0.0.1"], ca_file=str(relay.ca_file)) == HYBRID_GROUP


async def test_a_relay_of_another_name_is_not_trusted(relay):
    with pytest.raises(TlsError, match="certificate verify failed"):
        await handshake("other.test", relay.port, ["127.0.0.1"], ca_file=str(relay.ca_file))


async def test_a_relay_of_an_unknown_authority_is_not_trusted(relay, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(TlsError, match="certificate verify failed"):
        await handshake(HOST, relay.port, ["127.0.0.1"], ca_file=str(stranger.ca_file))


async def test_a_relay_that_requires_hybrid_refuses_classic_clients(tmp_path):
    certificate = Authority(tmp_path / "other").issue(HOST)
    relay = Relay(tmp_path, tls=server_context(*certificate, require_hybrid=True)).start()
    relay.ca_file = tmp_path / "other" / "ca.pem"
    client = await relay.client().up()
    assert client.link.tls_group == HYBRID_GROUP
    # Python's own OpenSSL is older than the group where this test has something to say.
    if ssl.OPENSSL_VERSION_INFO < (3, 5):
        reader, _ = await open_tls(relay)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert relay.server.groups.total() == 1
    client.task.cancel()
    await asyncio.gather(client.task, return_exceptions=True)
    relay.server.stop_listening()


async def test_a_burst_merges_into_larger_frames_and_keeps_its_order(relay):
    alpha, beta = await relay.client().up(), await relay.client().up()
    datagrams = [secrets.token_bytes(1280) for _ in range(100)]
    for datagram in datagrams:
        assert alpha.link.send(beta.key, 1280, datagram)
    arrived, count = b"", 0
    while len(arrived) < 100 * 1280:
        key, segment, payload = await asyncio.wait_for(beta.received.get(), 5)
        assert (key, segment) == (alpha.key, 1280)
        arrived += payload
        count += 1
    assert arrived == b"".join(datagrams)
    assert count < 10


@pytest.mark.parametrize("limits", [Limits(keepalive_seconds=1)], ids=["1 s"])
async def test_a_link_on_which_nothing_is_said_stays_up(relay):
    alpha = await relay.client().up()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(alpha.states.get(), 4)
    await alpha.up_and_running()


async def test_a_dial_that_is_given_up_leaves_no_socket():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        dialling = asyncio.create_task(_dial("x", listening.getsockname()[1], ["127.0.0.1"], None))
        await asyncio.sleep(0)
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
    # One that was left open would be complained of here, and that fails a test.
    del dialling
    gc.collect()
