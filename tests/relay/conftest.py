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
    await relay.end()
