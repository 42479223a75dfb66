"""Moments that come whatever the clock does, and a clock that nobody can set."""

import asyncio

from agent.clock import ServerClock, rfc3339, unix_time
from agent.host import schedule
from agent.host.schedule import Schedule


class Clock:
    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


def test_the_control_plane_s_time_outlives_a_clock_that_is_set():
    wall, boot = Clock(1_000_000.0), Clock(50.0)
    clock = ServerClock(wall, boot)
    assert clock.now() == 1_000_000.0
    clock.heard(2_000_000.0)
    wall.at -= 86_400
    boot.at += 10
    assert clock.now() == 2_000_010.0


def test_moments_survive_the_way_there_and_back():
    assert abs(unix_time(rfc3339(1_790_000_000.25)) - 1_790_000_000.25) < 0.001


async def test_what_is_planned_is_done_once_and_a_new_plan_replaces_the_old_one():
    now, done = Clock(100.0), []
    plan = Schedule(now, lambda: done.append(now()))
    running = asyncio.create_task(plan.run())
    plan.plan(100.05)
    await asyncio.sleep(0)
    plan.plan(100.02)
    await asyncio.sleep(0.1)
    assert done == [], "the clock stands still: it is not time yet"
    now.at = 100.03
    plan.plan(100.02)
    await asyncio.sleep(0.05)
    assert done == [100.03]
    plan.plan(None)
    now.at = 200.0
    await asyncio.sleep(0.05)
    assert done == [100.03]
    running.cancel()


async def test_a_clock_that_is_put_right_is_noticed(monkeypatch):
    monkeypatch.setattr(schedule, "LOOK_SECONDS", 0.02)
    now, done = Clock(100.0), []
    plan = Schedule(now, lambda: done.append(now()))
    running = asyncio.create_task(plan.run())
    plan.plan(5000.0)
    await asyncio.sleep(0.05)
    now.at = 6000.0
    await asyncio.sleep(0.1)
    assert done == [6000.0]
    running.cancel()
