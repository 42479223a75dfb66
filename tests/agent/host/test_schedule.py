"""Moments that come whatever the clock does, and a clock that nobody can set."""

import asyncio
import json

import pytest

from agent.clock import ServerClock, rfc3339, unix_time
from agent.host import schedule
from agent.host.schedule import Schedule
from agent.membership import Membership
from agent.state import MachineState, Store
from wire.filter import FilterRule, PacketFilter
from wire.netmap import Netmap, SelfNode

NOW = 1_800_000_000


class Clock:
    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


def test_the_control_plane_s_time_outlives_a_clock_that_is_set():
    wall, boot = Clock(1_000_000.0), Clock(50.0)
    clock = ServerClock(wall, boot)
    assert clock.now() == 1_000_000.0
    assert clock.saved() is None
    assert clock.heard(2_000_000.0)
    assert not clock.heard(2_000_000.2)
    clock.heard(2_000_000.0)
    wall.at -= 86_400
    boot.at += 10
    assert clock.now() == 2_000_010.0


@pytest.mark.parametrize("wrong", [0, 5 * 3600, -9 * 3600, -1_700_000_000])
def test_a_restart_within_one_boot_loses_nothing(wrong):
    wall, boot = Clock(NOW + wrong), Clock(50.0)
    clock = ServerClock(wall, boot, lambda: "one")
    clock.heard(NOW)
    saved = json.loads(json.dumps(clock.saved()))
    # Set while no agent ran.
    wall.at, boot.at = wall.at - 7777, boot.at + 600
    again = ServerClock(wall, boot, lambda: "one")
    again.restore(saved)
    assert again.now() == NOW + 600


@pytest.mark.parametrize("wrong", [0, 5 * 3600, -9 * 3600])
def test_after_a_boot_the_host_s_clock_is_as_wrong_as_it_was(wrong):
    wall = Clock(NOW + wrong)
    clock = ServerClock(wall, Clock(50.0), lambda: "one")
    clock.heard(NOW)
    saved = clock.saved()
    wall.at += 600
    boot = Clock(1.0)
    again = ServerClock(wall, boot, lambda: "two")
    again.restore(saved)
    assert again.now() == NOW + 600
    # A clock that lost its battery: what was over stays over, and what is open ends all the same.
    wall.at, boot.at = 0.0, 31.0
    assert again.now() == NOW + 30
    again.heard(NOW + 900)
    assert again.now() == NOW + 900


@pytest.mark.parametrize("saved", [None, {}, [], "x", {"begun": "x", "lacking": 0, "heard": 0}])
def test_a_saved_time_of_no_use_is_as_good_as_none(saved):
    clock = ServerClock(Clock(NOW), Clock(50.0), lambda: "one")
    clock.restore(saved)
    assert clock.now() == NOW


RULE = FilterRule("accept", not_before=NOW + 100, not_after=NOW + 200)


@pytest.mark.parametrize("wrong", [7 * 3600, -7 * 3600, -1_700_000_000])
async def test_rules_and_grants_keep_to_the_control_plane_s_seconds_on_a_host_whose_clock_is_wrong(
    tmp_path, wrong
):
    """A whole membership: the map, the time, and what is in force by them, second by second."""
    wall, boot = Clock(NOW + wrong), Clock(50.0)
    host = Host(tmp_path, wall, boot)
    host.membership.on_netmap(netmap(RULE))
    host.membership.on_time(NOW)
    for second in range(220):
        assert host.open() == (100 <= second < 200), second
        if second == 150:
            # It is set, the agent starts anew, and no control plane answers.
            wall.at += 3 * 3600
            host.membership.flush()
            host = Host(tmp_path, wall, boot)
            host.membership.restore()
        wall.at, boot.at = wall.at + 1, boot.at + 1


async def test_what_a_wrong_clock_opened_is_shut_as_soon_as_the_time_is_heard(tmp_path):
    host = Host(tmp_path, Clock(NOW + 150), Clock(50.0))
    host.membership.on_netmap(netmap(RULE))
    assert host.open()
    host.membership.on_time(NOW)
    assert host.judged == [True, False], "judged anew at once, not at the next look"
    host.membership.on_time(NOW + 0.1)
    assert len(host.judged) == 2


class Host:
    """What the daemon joins: a membership and the filter's view of its map."""

    def __init__(self, directory, wall, boot):
        state = MachineState("m1", "o1", "m1", "m1.x", "100.64.0.1", "nk", "i", "w", "d", "k", "p")
        self.judged = []
        self.membership = Membership(
            store=Store(directory),
            machine=state,
            use=lambda netmap: self.judged.append(self.open(netmap)),
            relay_token=lambda token: None,
            told=lambda heartbeat: None,
            look=lambda: None,
            count_cut=lambda *asked: None,
            ended=lambda error: None,
            failures=lambda: [],
        )
        self.membership.clock.__init__(wall, boot, lambda: "one")

    def open(self, netmap=None):
        netmap = netmap or self.membership.netmap
        return bool(netmap.packet_filter.in_force(self.membership.clock.now()).chains["c"])


def netmap(rule):
    own = SelfNode("m1", "m1", "m1.x", "100.64.0.1")
    return Netmap(1, own, packet_filter=PacketFilter("v", {"c": (rule,)}))


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
