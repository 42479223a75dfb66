"""Fixtures of the relay's tests."""

import asyncio

import pytest

from tests.relay.live import Relay


@pytest.fixture
async def relay(tmp_path):
    relay = Relay(tmp_path).start()
    ticking = asyncio.create_task(relay.server.tick())
    yield relay
    assert not ticking.done(), ticking
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    relay.server.stop_listening()
