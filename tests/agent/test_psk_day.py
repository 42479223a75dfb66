"""A day of renewals on a simulated network: real cryptography, real key files, WireGuard's own timing.

WireGuard tries a handshake every 120 s of a session, again after 5 s when it fails, and drops a
session that is 180 s old. So no two sides may hold different keys for 60 s while they can talk.
"""

import heapq
import itertools
import os
import random

import pytest

from agent.engine import hybrid
from agent.engine.identity import PeerKeys
from agent.engine.path import PeerPath
from agent.engine.psk import Offered
from agent.engine.start import Starter
from agent.errors import AgentError
from agent.keys import MachineKeys
from agent.pairkeys import PairKeys
from agent.peering import PeerLink
from wire.binary import Endpoint
from wire.netmap import Peer

DAY = 24 * 3600.0
REKEY, AGAIN, REJECT = 120.0, 5.0, 180.0


class Disk:
    """Files of one machine; they outlive its daemon."""

    def __init__(self):
        self.files, self.broken = {}, False

    def load_json(self, name):
        return self.files.get(name)

    def save_json(self, name, document):
        if self.broken:
            raise AgentError("WRITE_FAILED", "no space left")
        self.files[name] = document

    def remove(self, name):
        self.files.pop(name, None)


class Machine:
    def __init__(self, world, name):
        self.world, self.name, self.keys, self.disk = world, name, MachineKeys.generate(), Disk()
        self.links, self.wireguard, self.up = {}, {}, True

    def public(self):
        keys = self.keys
        return PeerKeys(keys.identity_public, keys.wireguard_public, keys.disco_public, keys.mlkem_public)

    def boot(self, others):
        """A daemon starts: nothing but the files is left."""
        self.up = True
        self.pair_keys = PairKeys(
            store=self.disk,
            keys=self.keys,
            random_bytes=os.urandom,
            interval_seconds=120,
            send=lambda link, part: self.world.send(self, link.peer.machine_id, part),
            install=lambda link: self.wireguard.update({link.peer.machine_id: link.psk.psk}),
        )
        for other in others:
            session = self.pair_keys.session(other.public(), self.world.now)
            self.links[other.name] = PeerLink(
                peer=Peer(other.name, other.name, other.name, "100.64.0.2", "", online=True),
                keys=other.public(),
                path=PeerPath(own_wireguard=b"", random_bytes=os.urandom),
                psk=session,
                starter=Starter(initiator=session.initiator),
                relay=Endpoint("127.77.0.1", 1),
            )
            self.wireguard[other.name] = session.psk or os.urandom(32)


class Pair:
    """What WireGuard and the control plane know of two machines."""

    def __init__(self, a, b):
        self.initiator, self.responder = sorted((a, b), key=lambda machine: machine.keys.wireguard_public)
        self.attempt_at = 0.0
        self.session_at = -REJECT
        self.talked_since = 0.0
        self.differ_since = None
        self.waiting = None
        self.completed = None
        self.handshakes = self.worst = self.stalls = self.exchanges = 0
        self.epochs = 0

    def ends(self):
        a, b = self.initiator, self.responder
        return a.links[b.name], b.links[a.name]

    def same(self):
        a, b = self.initiator, self.responder
        return a.wireguard[b.name] == b.wireguard[a.name]


class World:
    """Events in order of time. loss is the share of datagrams lost, delay the most it takes."""

    def __init__(self, seed, *, machines, loss, delay):
        self.random, self.loss, self.delay = random.Random(seed), loss, delay
        self.now, self.queue, self.order = 0.0, [], itertools.count()
        self.machines = {name: Machine(self, name) for name in machines}
        self.pairs = [Pair(a, b) for a, b in itertools.combinations(self.machines.values(), 2)]
        self.cut_until = 0.0
        self.control_down_until = 0.0
        for machine in self.machines.values():
            self.boot(machine)

    def boot(self, machine):
        machine.boot([other for other in self.machines.values() if other is not machine])
        for pair in self.pairs:
            if machine in (pair.initiator, pair.responder):
                pair.attempt_at, pair.session_at = self.now, -REJECT
                pair.talked_since = self.now

    def send(self, sender, to, part):
        if self.now < self.cut_until or self.random.random() < self.loss:
            return
        for _ in range(2 if self.random.random() < 0.02 else 1):
            arrives = self.now + self.random.uniform(self.delay / 4, self.delay)
            heapq.heappush(self.queue, (arrives, next(self.order), sender.name, to, part))

    def advance(self, until):
        while self.queue and self.queue[0][0] <= until:
            self.now, _, sender, to, part = heapq.heappop(self.queue)
            machine = self.machines[to]
            if machine.up:
                machine.pair_keys.receive(machine.links[sender], part, self.now)
        self.now = until

    def run(self, seconds, trouble=lambda world: None):
        end = self.now + seconds
        while self.now < end:
            self.advance(self.now + 0.25)
            for machine in self.machines.values():
                for link in machine.links.values():
                    if machine.up and self.now >= link.psk.next_timeout():
                        machine.pair_keys.flush(link, self.now)
            if self.now % 1.0 == 0:
                trouble(self)
                for pair in self.pairs:
                    self.second(pair)

    def second(self, pair):
        if not (pair.initiator.up and pair.responder.up):
            pair.talked_since, pair.differ_since = self.now, None
            return
        self.exchange(pair)
        if self.now < self.cut_until:
            pair.talked_since, pair.differ_since = self.now, None
            return
        if pair.same():
            pair.differ_since = None
        elif pair.differ_since is None:
            pair.differ_since = self.now
        else:
            pair.worst = max(pair.worst, self.now - pair.differ_since)
        initiator, responder = pair.ends()
        if self.now >= pair.attempt_at and initiator.psk.agreed and responder.psk.agreed:
            if pair.same():
                pair.session_at, pair.attempt_at = self.now, self.now + REKEY
                pair.handshakes += 1
                for link in (initiator, responder):
                    link.psk.handshake(self.now + 0.001)
            else:
                pair.attempt_at = self.now + AGAIN
        since = max(pair.session_at, pair.talked_since)
        if self.now - since > REJECT:
            pair.stalls += 1
        for link in (initiator, responder):
            if self.now - pair.session_at > 200:
                link.psk.silent(self.now)
        current = responder.psk.keys.current
        pair.epochs = max(pair.epochs, current.epoch if current else 0)

    def exchange(self, pair):
        """The first key, by the control plane."""
        if self.now < self.control_down_until:
            return
        initiator, responder = pair.ends()
        if initiator.psk.wants_offer(self.now, peer_online=True):
            pair.exchanges += 1
            pair.waiting = Offered(str(pair.exchanges), hybrid.Offer(b"", b"", b"", b""), os.urandom(32))
            initiator.psk.offer_sent(pair.waiting, self.now)
        if pair.waiting and self.now % 2 == 0:
            if pair.waiting.psk != responder.psk.psk:
                pair.responder.pair_keys.agreed(responder, pair.waiting.psk, self.now)
            # The answer may be lost; then the offer keeps waiting.
            if self.random.random() > self.loss:
                pair.completed, pair.waiting = pair.waiting, None
        if pair.completed and initiator.psk.offered is pair.completed and self.now % 3 == 0:
            pair.initiator.pair_keys.agreed(initiator, pair.completed.psk, self.now)
            pair.completed = None


def test_a_day_of_two_machines_with_a_lossy_line():
    world = World(1, machines=("a", "b"), loss=0.2, delay=0.3)
    world.run(DAY)
    (pair,) = world.pairs
    assert pair.exchanges == 1
    assert pair.epochs > 650
    assert pair.handshakes > 650
    assert pair.stalls == 0
    assert pair.worst < 30


def troubles(world):
    """Outages, restarts at any moment, full disks, a control plane that comes and goes."""
    dice = world.random
    if dice.random() < 1 / 400:
        world.cut_until = world.now + dice.uniform(1, 90)
    if dice.random() < 1 / 1800:
        world.control_down_until = world.now + dice.uniform(1, 600)
    for machine in world.machines.values():
        if not machine.up:
            if dice.random() < 1 / 5:
                world.boot(machine)
        elif dice.random() < 1 / 300:
            machine.up = False


def mend(world):
    """No more trouble: a minute in which everything must come together."""
    world.cut_until = world.control_down_until = 0.0
    for machine in world.machines.values():
        if not machine.up:
            world.boot(machine)
    world.run(60)
    for pair in world.pairs:
        assert pair.same()
        assert pair.stalls == 0
        assert pair.worst < 60


@pytest.mark.parametrize("seed", [2, 3])
def test_hours_of_several_machines_that_restart_at_any_moment(seed):
    world = World(seed, machines=("a", "b", "c"), loss=0.1, delay=0.6)
    world.run(4 * 3600, troubles)
    mend(world)


@pytest.mark.parametrize("seed", [6, 7])
def test_restarts_without_a_control_plane_never_lose_a_key(seed, caplog):
    caplog.set_level("WARNING")
    world = World(seed, machines=("a", "b", "c"), loss=0.1, delay=0.6)
    world.run(60)

    def trouble(world):
        troubles(world)
        world.control_down_until = DAY

    world.run(4 * 3600, trouble)
    mend(world)
    assert "psk differs" not in caplog.text


@pytest.mark.parametrize("losses", ["initiator", "responder", "both", "older"])
def test_lost_or_stale_key_files_are_noticed_and_mended_within_a_minute(losses):
    world = World(4, machines=("a", "b"), loss=0.1, delay=0.2)
    (pair,) = world.pairs
    world.run(400)
    stale = [dict(machine.disk.files) for machine in (pair.initiator, pair.responder)]
    world.run(900)
    for machine, old in zip((pair.initiator, pair.responder), stale, strict=True):
        role = "initiator" if machine is pair.initiator else "responder"
        if losses == "older" and role == "responder":
            machine.disk.files = old
        elif losses in (role, "both"):
            machine.disk.files = {}
        world.boot(machine)
    world.run(60)
    assert pair.same()
    assert pair.ends()[0].psk.state == pair.ends()[1].psk.state == "verified"
    assert pair.worst < 60
    assert pair.exchanges == 2


def test_a_full_disk_costs_no_session_and_a_restart_after_it_is_mended():
    world = World(5, machines=("a", "b"), loss=0.0, delay=0.2)
    (pair,) = world.pairs
    world.run(400)
    pair.responder.disk.broken = True
    world.run(1000)
    assert pair.worst < 5
    pair.responder.disk.broken = False
    world.boot(pair.responder)
    world.run(60)
    assert pair.same()
    assert pair.worst < 60
    assert pair.stalls == 0
