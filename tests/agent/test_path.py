"""The path engine: two engines talk over a simulated network, no socket and no clock involved."""

import heapq
import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.engine import path as rules
from agent.engine.actions import Move, SendDirect, SendRelayed
from agent.engine.path import PathState, PeerPath
from wire.binary import Endpoint
from wire.disco import CallMeMaybe, Ping, Pong

A, B = Endpoint("192.0.2.1", 41641), Endpoint("192.0.2.2", 41641)
STRANGER = Endpoint("198.51.100.9", 999)
KEYS = {"a": b"a" * 32, "b": b"b" * 32}


class World:
    """Two machines. Delays in seconds one way; `open` says whether direct packets pass.

    filtering: each is behind a NAT that lets in only what comes from where packets went before.
    """

    def __init__(self, *, delay=0.0, seed=1, relay=True, loss=0.0, relay_delay=None, filtering=False):
        source = self.luck = random.Random(seed)
        self.loss, self.filtering = loss, filtering
        self.relay_delay = delay if relay_delay is None else relay_delay
        self.opened = set()
        self.ends = {"a": PeerPath(own_wireguard=KEYS["a"], random_bytes=source.randbytes)}
        self.ends["b"] = PeerPath(own_wireguard=KEYS["b"], random_bytes=source.randbytes)
        self.addresses = {"a": A, "b": B}
        self.now, self.delay, self.open, self.relay = 0.0, delay, True, relay
        self.queue, self.order, self.moves, self.sent = [], itertools.count(), [], []

    def start(self):
        self.ends["a"].set_own_endpoints([A], self.now)
        self.ends["b"].set_own_endpoints([B], self.now)
        self.ends["a"].set_candidates([B], self.now)
        self.ends["b"].set_candidates([A], self.now)

    def run(self, seconds):
        end = self.now + seconds
        while True:
            self._collect()
            due = min((each.next_timeout() for each in self.ends.values()), default=math.inf)
            due = min(due, self.queue[0][0] if self.queue else math.inf)
            if due > end:
                self.now = end
                return
            self.now = max(self.now, due)
            while self.queue and self.queue[0][0] <= self.now:
                _, _, name, source, message = heapq.heappop(self.queue)
                self._deliver(name, source, message)
            for each in self.ends.values():
                if each.next_timeout() <= self.now:
                    each.handle_timeout(self.now)

    def _collect(self):
        for name, each in self.ends.items():
            other = "b" if name == "a" else "a"
            for action in each.actions():
                match action:
                    case Move(endpoint):
                        self.moves.append((round(self.now, 3), name, endpoint))
                    case SendDirect(endpoint, message, ttl):
                        self.sent.append((self.now, name, endpoint, message, ttl))
                        lost = self.luck.random() < self.loss
                        self.opened.add(name)
                        if self.open and not lost and endpoint == self.addresses[other] and ttl is None:
                            self._put(other, self.addresses[name], message, self.delay)
                    case SendRelayed(message) if self.relay:
                        self._put(other, None, message, self.relay_delay)

    def _put(self, name, source, message, delay):
        heapq.heappush(self.queue, (self.now + delay, next(self.order), name, source, message))

    def _deliver(self, name, source, message):
        each = self.ends[name]
        if self.filtering and source is not None and name not in self.opened:
            return
        match message:
            case Ping():
                each.receive_ping(message, source, self.now)
            case Pong():
                each.receive_pong(message, source, self.now)
            case CallMeMaybe():
                each.receive_call(message, self.now)

    @property
    def states(self):
        return {each.state for each in self.ends.values()}

    def carry(self, traffic):
        for end in self.ends.values():
            end.carries(traffic, self.now)


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.075])
def test_both_sides_move_to_the_proven_address(delay):
    world = World(delay=delay)
    world.start()
    world.run(1.0)
    assert world.states == {PathState.DIRECT}
    assert (world.ends["a"].direct, world.ends["b"].direct) == (B, A)
    assert world.ends["a"].rtt == pytest.approx(2 * delay)


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.075])
def test_a_dead_path_is_left_within_three_seconds_and_taken_again_within_ten(delay):
    world = World(delay=delay)
    world.start()
    world.carry(True)
    world.run(5.3)
    world.open = False
    world.moves.clear()
    died = world.now
    world.run(3.0)
    assert [(name, endpoint) for _, name, endpoint in world.moves if endpoint is None] != []
    assert all(moment - died < 3.0 for moment, _, _ in world.moves)
    assert PathState.DIRECT not in world.states
    world.run(60)
    world.open, world.moves = True, []
    restored = world.now
    world.run(10)
    assert world.states == {PathState.DIRECT}
    assert max(moment for moment, _, _ in world.moves) - restored < 10


@pytest.mark.parametrize("busy", [True, False])
@pytest.mark.parametrize("delay", [0.001, 0.04, 0.15])
def test_a_path_that_loses_a_fifth_of_all_packets_stays(delay, busy):
    world = World(delay=delay, loss=0.2)
    world.start()
    world.run(30)
    assert world.states == {PathState.DIRECT}
    world.carry(busy)
    begun = len(world.moves)
    world.run(900)
    assert world.moves[begun:] == []


@pytest.mark.parametrize("relay_delay", [0.05, 1.0, 3.0])
def test_a_line_that_loses_a_fifth_and_a_slow_relay_do_not_keep_a_pair_apart(relay_delay):
    """The relay's TCP stalls for seconds on such a line, so the two bursts miss each other."""
    seconds = []
    for seed in range(200):
        world = World(delay=0.03, seed=seed, loss=0.2, relay_delay=relay_delay, filtering=True)
        world.ends["a"].set_own_endpoints([A], 0.0)
        world.ends["b"].set_own_endpoints([B], 0.0)
        world.run(relay_delay + 15)
        assert world.states == {PathState.DIRECT}, seed
        seconds.append(max(moment for moment, _, _ in world.moves))
    seconds.sort()
    assert seconds[190] < relay_delay + 1.5


def test_a_quiet_path_is_pinged_rarely_and_its_death_noticed_once_there_is_traffic():
    world = World(delay=0.02)
    world.start()
    world.run(60)
    began = len(world.sent)
    world.run(120)
    assert len(world.sent) - began <= 2 * 2 * 120 / 10  # a ping and its pong, each way
    assert world.states == {PathState.DIRECT}
    world.open = False
    world.run(1.0)
    world.carry(True)
    died = world.now
    world.moves.clear()
    world.run(3.0)
    assert {name for _, name, endpoint in world.moves if endpoint is None} == {"a", "b"}
    assert all(moment - died < 3.0 for moment, _, _ in world.moves)


def test_the_death_of_a_path_that_nobody_uses_is_noticed_too():
    world = World(delay=0.02)
    world.start()
    world.run(60)
    world.open = False
    world.run(45)
    assert PathState.DIRECT not in world.states


def test_a_pong_from_another_address_than_its_ping_went_to_proves_nothing():
    world = World()
    world.ends["a"].set_candidates([B], 0.0)
    (ping,) = [each for each in world.ends["a"].actions() if isinstance(each, SendDirect)]
    path = world.ends["a"]
    path.receive_ping(Ping(b"x" * 12, KEYS["b"]), STRANGER, 0.01)
    path.receive_pong(Pong(ping.message.txid, A), STRANGER, 0.02)
    path.receive_pong(Pong(b"?" * 12, A), B, 0.02)
    assert path.state is PathState.PROBING
    assert not [each for each in path.actions() if isinstance(each, Move)]


def test_a_replayed_ping_is_not_answered():
    path = World().ends["a"]
    ping = Ping(b"x" * 12, KEYS["b"])
    path.receive_ping(ping, B, 0.0)
    assert [each for each in path.actions() if isinstance(each, SendDirect)]
    path.receive_ping(ping, STRANGER, 0.1)
    assert path.actions() == []
    assert STRANGER not in path.candidates


def test_no_move_before_the_peer_has_pinged_too():
    path = World().ends["a"]
    path.set_candidates([B], 0.0)
    (ping,) = [each for each in path.actions() if isinstance(each, SendDirect)]
    path.receive_pong(Pong(ping.message.txid, A), B, 0.01)
    assert path.direct is None
    path.receive_ping(Ping(b"x" * 12, KEYS["b"]), B, 0.02)
    assert path.direct == B


def test_late_relayed_packets_keep_the_direct_path_and_later_ones_end_it():
    world = World()
    world.start()
    world.run(1.0)
    path = world.ends["a"]
    assert path.late(world.now)
    path.roamed(None, world.now)
    assert (path.direct, path.actions()) == (B, [])
    world.run(rules.LATE_SECONDS)
    assert not path.late(world.now)
    path.roamed(None, world.now)
    assert path.direct is None


def test_wireguard_may_roam_only_to_a_proven_address():
    world = World()
    world.start()
    world.run(1.0)
    path = world.ends["a"]
    path.roamed(STRANGER, world.now)
    assert (path.direct, path.actions()) == (B, [])


def test_a_pair_that_never_met_grows_quiet_then_opens_its_nat_with_short_lived_packets():
    world = World()
    world.open = False
    world.start()
    world.run(120)
    normal = [moment for moment, name, _, _, ttl in world.sent if name == "a" and ttl is None]
    low = [(moment, ttl) for moment, name, _, _, ttl in world.sent if name == "a" and ttl is not None]
    assert {ttl for _, ttl in low} == {2, 4}
    first_low = min(moment for moment, _ in low)
    before = [moment for moment in normal if moment < first_low]
    assert first_low - max(before) > 28  # longer than most NATs remember an unanswered packet
    assert world.states <= {PathState.RELAY, PathState.PROBING}


def test_a_changed_network_proves_paths_anew():
    world = World(delay=0.02)
    world.start()
    world.run(2.0)
    world.moves.clear()
    world.ends["a"].link_changed(world.now)
    world.run(1.0)
    assert world.moves[0][1:] == ("a", None)
    assert world.ends["a"].direct == B


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    delay=st.sampled_from([0.0, 0.02, 0.075, 0.2]),
    cuts=st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), max_size=8),
    relay=st.booleans(),
)
def test_paths_end_direct_whenever_direct_works_at_last(seed, delay, cuts, relay):
    world = World(delay=delay, seed=seed, relay=relay)
    world.start()
    for seconds, passes in cuts:
        world.open = passes
        world.run(seconds)
    was_direct = bool(world.moves)
    world.open = True
    # A pair that never met may be in its quiet time.
    world.run(12 if was_direct and relay else 80)
    assert world.states == {PathState.DIRECT}
    for each in world.ends.values():
        assert len(each.candidates) <= rules.MAX_ENDPOINTS
        assert each.next_timeout() > world.now


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(st.tuples(st.sampled_from("pqcrlts"), st.integers(0, 5), st.floats(0, 5)), max_size=60)
)
def test_no_order_of_events_breaks_a_path(events):
    path = PeerPath(own_wireguard=KEYS["a"], random_bytes=random.Random(2).randbytes)
    places = [Endpoint("192.0.2.3", 1 + number) for number in range(6)]
    now, pings = 0.0, [b"?" * 12]
    for kind, number, pause in events:
        now += pause
        match kind:
            case "p":
                path.receive_ping(Ping(bytes([number]) * 12, KEYS["b"]), places[number], now)
            case "q":
                path.receive_pong(Pong(pings[number % len(pings)], A), places[number], now)
            case "c":
                path.receive_call(CallMeMaybe(tuple(places[:number])), now)
            case "r":
                path.roamed(places[number] if number else None, now)
            case "l":
                path.link_changed(now)
            case "t":
                path.handle_timeout(now)
            case "s":
                path.set_candidates(places[:number], now)
        sent = [each for each in path.actions() if isinstance(each, SendDirect)]
        pings += [each.message.txid for each in sent if isinstance(each.message, Ping)]
        assert (path.state is PathState.DIRECT) == (path.direct is not None)
        assert path.direct is None or path.direct in path.candidates


def test_a_peer_that_calls_from_another_address_is_followed_at_once():
    world = World(delay=0.02)
    world.start()
    world.run(1.0)
    world.addresses["a"] = STRANGER
    world.ends["a"].set_own_endpoints([STRANGER], world.now)
    world.ends["a"].link_changed(world.now)
    world.run(0.5)
    assert (world.ends["a"].direct, world.ends["b"].direct) == (B, STRANGER)


def test_a_call_does_not_move_a_path_that_answers():
    world = World(delay=0.02)
    world.start()
    world.run(1.0)
    world.moves.clear()
    world.ends["b"].receive_call(CallMeMaybe((A, STRANGER)), world.now)
    world.run(3.0)
    assert world.moves == []


def test_a_call_to_a_peer_that_did_not_listen_yet_is_made_up_for():
    world = World(relay=False)
    world.open = False
    world.start()
    world.run(0.5)
    world.relay = True
    world.ends["b"].probe(world.now)
    world.run(0.5)
    assert world.ends["a"].relay_heard
    assert world.ends["b"].relay_heard


def test_a_held_path_stays_on_the_relay_until_it_is_let_go():
    world = World(delay=0.02)
    world.start()
    world.run(1.0)
    world.ends["a"].hold(True, world.now)
    world.run(20.0)
    assert world.ends["a"].direct is None
    world.ends["a"].hold(False, world.now)
    world.run(1.0)
    assert world.ends["a"].direct == B
