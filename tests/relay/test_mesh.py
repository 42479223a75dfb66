"""Two relays of one region, as two processes that know each other by their place in a list."""

import asyncio
import re
import signal
import ssl

import httpx
import pytest

from relay.config import ConfigError, from_environment
from tests.lab.pki import Authority
from tests.relay.test_process import WORKERS, Process
from tests.relay.traffic import Numbered, everything_arrives
from tests.services import free_ports

PLACES = ("127.0.0.1", "127.0.0.2")


def join(process, authority, number, ports, name=None):
    """Make a process one of the relays of the mesh."""
    certificate, key = authority.issue(name or f"relay{number}", PLACES[number - 1], client=True)
    process.settings |= {
        "QZRELAY_LISTEN": PLACES[number - 1],
        "QZRELAY_MESH": " ".join(f"{host}:{port}" for host, port in zip(PLACES, ports, strict=True)),
        "QZRELAY_MESH_NUMBER": str(number),
        "QZRELAY_MESH_CA": str(authority.ca_file),
        "QZRELAY_MESH_CERTIFICATE": str(certificate),
        "QZRELAY_MESH_PRIVATE_KEY": str(key),
    }


class Pair:
    """Two relays with one port, keys and certificate for clients, each on an address of its own."""

    def __init__(self, directory):
        self.relays = [Process(directory / str(number)) for number in (1, 2)]
        first, second = self.relays
        self.ports = (free_ports(WORKERS), free_ports(WORKERS))
        second.port, second.control, second.ca_file = first.port, first.control, first.ca_file
        for name in ("PORT", "CERTIFICATE", "PRIVATE_KEY", "JWKS"):
            second.settings[f"QZRELAY_{name}"] = first.settings[f"QZRELAY_{name}"]
        authority = Authority(directory / "mesh")
        for number, relay in enumerate(self.relays, 1):
            join(relay, authority, number, self.ports)

    async def start(self, links=1, **settings):
        for relay in self.relays:
            await relay.start(**settings).ready()
        await self.joined(links)
        return self

    async def joined(self, links):
        for relay in self.relays:
            async with asyncio.timeout(10):
                while await relay.metric("links") != links:
                    await asyncio.sleep(0.05)

    async def client(self, number, **claims):
        """A client whose first choice is that relay."""
        places = PLACES if number == 1 else PLACES[::-1]
        return await self.relays[0].client(addresses=places, **claims).up()

    async def end(self):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for relay in self.relays:
            if relay.process.poll() is None:
                relay.process.kill()
            relay.process.wait()


@pytest.fixture
async def pair(tmp_path):
    pair = Pair(tmp_path)
    yield pair
    await pair.end()


async def test_a_pair_on_different_relays_keeps_its_order_and_loses_nothing(pair):
    await pair.start()
    alpha, beta = await pair.client(1), await pair.client(2)
    assert [await relay.metric("clients") for relay in pair.relays] == [1, 1]
    await everything_arrives(alpha, beta)
    await everything_arrives(beta, alpha)
    stranger = await pair.client(2, org="org-b")
    stranger.link.send(alpha.key, 4, b"evil")
    assert await asyncio.wait_for(stranger.gone.get(), 5) == alpha.key


async def test_a_relay_restarts_under_traffic_and_nobody_notices(pair):
    await pair.start()
    alpha, beta = await pair.client(1), await pair.client(2)
    traffic = Numbered(alpha, beta)
    await traffic.until(lambda: traffic.sent == 200)
    second = pair.relays[1]
    second.process.send_signal(signal.SIGTERM)
    await traffic.until(lambda: second.process.poll() is not None)
    assert second.process.returncode == 0
    second.start()
    await traffic.until(lambda: traffic.sent % 500 == 0)
    await traffic.arrived()
    assert beta.states.empty()
    assert alpha.states.empty()
    await second.ready()
    await pair.joined(1)
    gamma = await pair.client(2)
    alpha.link.send(gamma.key, 4, b"soon")
    assert await asyncio.wait_for(gamma.received.get(), 5) == (alpha.key, 4, b"soon")


async def test_a_relay_that_dies_takes_nobody_along(pair):
    await pair.start()
    alpha, beta = await pair.client(1), await pair.client(2)
    pair.relays[1].process.kill()
    up = False
    while not up:
        up, _ = await beta.state()
    async with asyncio.timeout(5):
        while beta.received.empty():
            alpha.link.send(beta.key, 5, b"again")
            await asyncio.sleep(0.05)


async def test_workers_of_both_relays_reach_each_other(pair):
    await pair.start(links=3, QZRELAY_WORKERS=str(WORKERS))
    clients = [await pair.client(number) for number in (1, 1, 1, 2, 2, 2)]
    for sender in clients:
        for receiver in clients:
            if sender is not receiver:
                sender.link.send(receiver.key, 5, b"hello")
    for receiver in clients:
        senders = {(await asyncio.wait_for(receiver.received.get(), 5))[0] for _ in range(5)}
        assert senders == {client.key for client in clients} - {receiver.key}


async def test_a_stranger_is_no_relay(pair, tmp_path):
    join(pair.relays[1], Authority(tmp_path / "other"), 2, pair.ports)
    for relay in pair.relays:
        await relay.start().ready()
    await asyncio.sleep(1)
    assert [await relay.metric("links") for relay in pair.relays] == [0, 0]
    # Nor is who has no certificate, or one of the right authority that is not for this.
    authority, context = Authority(tmp_path / "mesh2"), ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for certificate in (None, authority.issue("server")):
        if certificate:
            context.load_cert_chain(*certificate)
        assert await hears_nothing(context, pair.ports[0])


async def hears_nothing(context, port):
    """Whether a link is refused: the first read ends it."""
    reader, writer = await asyncio.open_connection(PLACES[0], port, ssl=context)
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ssl.SSLError:
        return True
    finally:
        writer.close()


async def test_the_mesh_port_tells_nothing_in_clear(pair):
    await pair.start()
    with pytest.raises((httpx.HTTPError, ValueError)):
        await httpx.AsyncClient().get(f"http://{PLACES[0]}:{pair.ports[0]}/")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"QZRELAY_MESH_CA": ""}, "QZRELAY_MESH_CA"),
        ({"QZRELAY_MESH": "relay1"}, "host:port"),
        ({"QZRELAY_MESH": "relay1:0"}, "host:port"),
        ({"QZRELAY_MESH_NUMBER": "3"}, "from 1 to 2"),
    ],
)
def test_what_is_no_mesh(tmp_path, change, reason):
    process = Process(tmp_path / "relay")
    join(process, Authority(tmp_path / "mesh"), 1, (1001, 1002))
    assert from_environment(process.settings).mesh.number == 1
    with pytest.raises(ConfigError, match=re.escape(reason)):
        from_environment(process.settings | change)
