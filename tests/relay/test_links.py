"""Two workers in the test's own loop: a client is ready when the other worker knows of it, not before."""

import asyncio
import contextlib

import pytest

from relay.links import KNOWN_SECONDS, Links, LocalPlace
from tests.relay.live import Relay
from tests.relay.traffic import Numbered


class Workers:
    """Two workers, each with its links; the second dials the first."""

    def __init__(self, directory):
        self.first = Relay(directory)
        self.second = Relay(directory, beside=self.first)
        places = [LocalPlace(directory, number) for number in range(2)]
        self.jobs = []
        self.links = [
            Links(self.first.server, places[:1], []),
            Links(self.second.server, places[1:], places[:1]),
        ]

    async def start(self):
        for relay, links in zip((self.first, self.second), self.links, strict=True):
            relay.core.mesh = links
            relay.start()
            self.jobs.append(asyncio.create_task(links.run()))
        for links in self.links:
            await links.joined(1)
        return self

    def deafen(self, worker):
        """A worker reads nothing that the other says; returns how it hears again."""
        (link,) = self.links[worker]._links
        link._transport.pause_reading()
        return link._transport.resume_reading

    async def end(self):
        await self.first.end()
        await self.second.end()
        await asyncio.sleep(0)  # the links' sockets close in the loop's next turn


@pytest.fixture
async def workers(tmp_path):
    workers = await Workers(tmp_path).start()
    yield workers
    await workers.end()


async def is_ready(client, seconds):
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await client.states.get() == (True, None)
    return False


async def test_a_client_is_ready_once_the_other_worker_knows_of_it(workers):
    alpha = await workers.first.client().up()
    hear_again = workers.deafen(0)
    beta = workers.second.client()
    assert not await is_ready(beta, KNOWN_SECONDS / 2)
    hear_again()
    assert await is_ready(beta, KNOWN_SECONDS)
    alpha.link.send(beta.key, 4, b"soon")
    assert (await asyncio.wait_for(beta.received.get(), 5))[2] == b"soon"
    assert alpha.gone.empty()


async def test_a_worker_that_never_answers_holds_nobody_up(workers):
    workers.deafen(0)
    await workers.second.client().up()


async def test_a_worker_that_goes_away_holds_nobody_up(workers):
    workers.deafen(0)
    beta = workers.second.client()
    assert not await is_ready(beta, KNOWN_SECONDS / 4)
    (link,) = workers.links[1]._links
    link.abort()
    assert await is_ready(beta, KNOWN_SECONDS / 4)


async def test_a_client_that_moves_loses_nothing_and_nothing_overtakes(workers):
    alpha, beta = await workers.first.client().up(), await workers.first.client().up()
    there, back = Numbered(alpha, beta), Numbered(beta, alpha)
    beta.link._port = workers.second.port
    hear_again = workers.deafen(1)  # the new worker does not hear for long that the old one knows
    workers.first.core.restart(lambda: 100)
    workers.first.server.flush()
    asyncio.get_running_loop().call_later(0.1 + KNOWN_SECONDS / 2, hear_again)
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(1, over.set)
    await asyncio.gather(there.until(over.is_set), back.until(over.is_set))
    await there.arrived(lost=0)
    await back.arrived(lost=0)
    assert workers.second.core.clients == 1
    assert alpha.states.empty()
    assert beta.states.empty()
