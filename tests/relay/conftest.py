"""Fixtures of the relay's tests."""

import asyncio

import pytest

from relay.core import Limits
from tests.relay.live import Relay


@pytest.fixture
def limits():
    """What a test overrides by parametrizing it."""
    return Limits()


@pytest.fixture
async def relay(tmp_path, limits):
    relay = Relay(tmp_path, limits=limits).start()
    ticking = asyncio.create_task(relay.server.tick())
    yield relay
    assert not ticking.done(), ticking
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    relay.server.stop_listening()
    for client in list(relay.server.clients):  # a reader that rests would not see that they went
        client.stream.abort()
