"""The channel layer of embedded mode."""

import asyncio

import pytest
from channels.exceptions import ChannelFull

from apps.core import layers
from apps.core.layers import LocalChannelLayer


async def test_a_group_message_reaches_every_member_and_nobody_else():
    layer = LocalChannelLayer()
    names = [await layer.new_channel() for _ in range(3)]
    for name in names[:2]:
        await layer.group_add("ours", name)
    await layer.group_send("ours", {"type": "news"})
    assert [await layer.receive(name) for name in names[:2]] == [{"type": "news"}] * 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(names[2]), 0.05)


async def test_what_has_expired_goes_at_the_next_sweep(monkeypatch):
    monkeypatch.setattr(layers, "SWEEP_SECONDS", 0)
    layer = LocalChannelLayer(expiry=-1)
    late, other = [await layer.new_channel() for _ in range(2)]
    await layer.send(late, {"type": "old"})
    await layer.send(other, {"type": "old"})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(late), 0.05)
    assert other not in layer.channels


async def test_a_channel_of_a_named_kind_has_its_own_capacity():
    layer = LocalChannelLayer(capacity=1, channel_capacity={"fleet*": 2})
    plain, fleet = await layer.new_channel(), await layer.new_channel("fleet")
    await layer.send(plain, {"type": "one"})
    with pytest.raises(ChannelFull):
        await layer.send(plain, {"type": "two"})
    for kind in ("one", "two"):
        await layer.send(fleet, {"type": kind})
    with pytest.raises(ChannelFull):
        await layer.send(fleet, {"type": "three"})
