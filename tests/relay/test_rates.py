"""Rates of clients and organisations: the reader rests, and nothing is lost."""

import asyncio
import secrets

import pytest

from relay.config import ConfigError, from_environment
from relay.core import Limits
from relay.rates import BURST_SECONDS
from relay.tls.session import INBOX_BYTES, RECORD_BYTES
from tests.relay.live import Client
from tests.relay.test_process import Process
from tests.relay.traffic import arrive

RATE = 400_000


async def flood(sender, receiver, datagrams=800):
    """Send so many datagrams of 1,000 bytes; (seconds until all have arrived, unchanged)."""
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), b""
    arriving = asyncio.create_task(arrive(receiver, datagrams))
    for _ in range(datagrams // 10):
        payload = secrets.token_bytes(10_000)
        while not sender.link.send(receiver.key, 1000, payload):
            await asyncio.sleep(0.01)
        sent += payload
        await asyncio.sleep(0)
    assert await arriving == sent
    return loop.time() - began


# What has been read at once when a reader goes to rest is passed on first, with the record and the frame
# that had begun before.
def least_seconds(total, readers=1):
    return (total - readers * (INBOX_BYTES + 2 * RECORD_BYTES)) / RATE - BURST_SECONDS


@pytest.mark.parametrize("limits", [Limits(client_rate=RATE)], ids=["a client"])
async def test_a_client_is_slowed_down_and_loses_nothing(relay):
    alpha, beta, gamma, delta = [await Client(relay).up() for _ in range(4)]
    slow = asyncio.create_task(flood(alpha, beta))
    # Somebody else's flow is not: it has a rate of its own, and is below it.
    gamma.link.send(delta.key, 4, b"fast")
    assert (await asyncio.wait_for(delta.received.get(), 5))[2] == b"fast"
    assert not slow.done()
    assert await slow > least_seconds(800_000)


@pytest.mark.parametrize("limits", [Limits(organisation_rate=RATE)], ids=["an organisation"])
async def test_clients_of_an_organisation_share_its_rate(relay):
    ours = [await Client(relay).up() for _ in range(4)]
    others = [await Client(relay, org="org-b").up() for _ in range(2)]
    slow = [asyncio.create_task(flood(*pair)) for pair in (ours[:2], ours[2:])]
    await flood(*others, datagrams=50)
    assert not any(task.done() for task in slow)
    assert max(await asyncio.gather(*slow)) > least_seconds(1_600_000, readers=2)


def test_rates_are_settings(tmp_path):
    settings = Process(tmp_path).settings
    given = settings | {"QZRELAY_CLIENT_MBIT": "100", "QZRELAY_ORGANISATION_MBIT": "500"}
    config = from_environment(given)
    assert (config.client_mbit, config.organisation_mbit) == (100, 500)
    assert from_environment(settings).client_mbit == 0
    with pytest.raises(ConfigError, match="QZRELAY_CLIENT_MBIT"):
        from_environment(settings | {"QZRELAY_CLIENT_MBIT": "fast"})
