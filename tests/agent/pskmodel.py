"""Two renewal engines and everything a network may do to the messages between them, step by step."""

import copy
import hashlib

from agent.engine.hybrid import ExchangeRefused
from agent.engine.keyring import Keyring, PairKey
from agent.engine.renewal import Install, Renewal, Send, StartOver, Store
from wire.psk import Answer, Offer, base_name, proof

PEER = b"p" * 32
FIRST_KEY = PairKey(0, b"k" * 32)


def digest(*parts):
    return hashlib.sha256(b"|".join(parts)).digest()


class CheapRatchet:
    """Hashes in the place of cryptography: the same shape, no secrecy."""

    def __init__(self, random_bytes):
        self.random_bytes = random_bytes

    def offer(self, exchange, epoch, base):
        secret = self.random_bytes(32)
        return Offer(exchange, epoch, base_name(base), digest(secret), bytes(1184), bytes(64)), secret

    def answer(self, offer, base):
        public = self.random_bytes(32)
        psk = digest(b"next", base, offer.x25519, public)
        return Answer(
            offer.exchange, public, bytes(1088), proof(psk, "answer", offer.exchange), bytes(64)
        ), psk

    def accept(self, offer, secret, base, answer):
        assert offer.x25519 == digest(secret)
        psk = digest(b"next", base, offer.x25519, answer.x25519)
        if answer.proof != proof(psk, "answer", offer.exchange):
            raise ExchangeRefused("another key")
        return psk


class Counter:
    """Random bytes that never repeat and are the same in every run."""

    def __init__(self, name):
        self.name, self.count = name, 0

    def __call__(self, size):
        self.count += 1
        return hashlib.shake_128(self.name + self.count.to_bytes(4, "big")).digest(size)


class Side:
    """One machine: the engine, its disk, and the key that WireGuard holds."""

    def __init__(self, name, initiator, key=FIRST_KEY):
        self.name, self.initiator = name, initiator
        self.random = Counter(name)
        self.disk = Keyring(current=key).to_json(PEER) if key else {}
        self.start(0.0)

    def start(self, now):
        """Boot with what the disk holds."""
        self.keys = Keyring.from_json(self.disk, PEER)
        self.engine = Renewal(
            initiator=self.initiator,
            keys=self.keys,
            ratchet=CheapRatchet(self.random),
            random_bytes=self.random,
            now=now,
        )
        self.wireguard = self.keys.current
        self.starts_over = False

    def perform(self):
        """Carry out what the engine asks for; the messages to send."""
        messages = []
        for action in self.engine.actions():
            match action:
                case Send(message):
                    messages.append(message)
                case Store():
                    self.disk = self.keys.to_json(PEER)
                case Install():
                    self.disk = self.keys.to_json(PEER)
                    self.wireguard = self.keys.current
                case StartOver():
                    self.starts_over = True
        return messages

    def state(self):
        engine = self.engine
        return (
            str(self.disk),
            self.wireguard,
            str(self.keys),
            engine._offered and engine._offered[0].exchange,
            tuple(engine._candidates),
            engine._doubtful,
            engine._tries > 5,
            self.starts_over,
        )


class World:
    """Messages in flight are a set without order; budgets bound what goes wrong."""

    def __init__(self, *, losses, copies, restarts, keys=(FIRST_KEY, FIRST_KEY)):
        self.now = 0.0
        self.sides = (Side(b"i", True, keys[0]), Side(b"r", False, keys[1]))
        self.flight = []
        self.budgets = {"lose": losses, "copy": copies, "restart": restarts}
        self.trail = ()

    def steps(self):
        """Everything that may happen next."""
        for at in range(len(self.flight)):
            yield ("deliver", at)
            yield ("lose", at)
            yield ("copy", at)
        for side in (0, 1):
            yield ("restart", side)
            yield ("timeout", side)

    def after(self, step):
        """The world one step later, or None if the step can't be taken."""
        kind, what = step
        if kind in self.budgets and not self.budgets[kind]:
            return None
        if kind == "timeout" and self.sides[what].engine.next_timeout() == float("inf"):
            return None
        world = copy.deepcopy(self)
        world.trail = (*self.trail, step)
        if kind in world.budgets:
            world.budgets[kind] -= 1
        world.take(kind, what)
        return world

    def take(self, kind, what):
        # Steps are seconds apart, so that no pause of the engine hides a branch.
        self.now += 1.0
        if kind in ("deliver", "lose"):
            to, message = self.flight.pop(what)
            if kind == "deliver":
                self.sides[to].engine.receive(message, self.now)
                self.send_from(to)
        elif kind == "copy":
            to, message = self.flight[what]
            self.sides[to].engine.receive(message, self.now)
            self.send_from(to)
        elif kind == "restart":
            self.sides[what].start(self.now)
        else:
            engine = self.sides[what].engine
            self.now = max(self.now, engine.next_timeout())
            engine.handle_timeout(self.now)
            self.send_from(what)

    def send_from(self, side):
        for message in self.sides[side].perform():
            entry = (1 - side, message)
            if entry not in self.flight:
                self.flight.append(entry)

    def settle(self, rounds=60):
        """Let everything arrive from now on; True once both sides installed one and the same key."""
        target = max(side.wireguard.epoch for side in self.sides if side.wireguard)
        for _ in range(rounds):
            while self.flight:
                self.take("deliver", 0)
            initiator, responder = self.sides
            if initiator.starts_over:
                return True
            if initiator.wireguard == responder.wireguard and initiator.wireguard.epoch > target:
                return True
            due = [(side.engine.next_timeout(), number) for number, side in enumerate(self.sides)]
            self.take("timeout", min(due)[1])
        return False

    def state(self):
        return (
            self.sides[0].state(),
            self.sides[1].state(),
            frozenset((to, repr(message)) for to, message in self.flight),
            tuple(self.budgets.values()),
        )

    def check(self):
        """Rule 1 of the engine, on disk and in memory alike."""
        initiator, responder = self.sides
        for keys in (initiator.keys, Keyring.from_json(initiator.disk, PEER)):
            held = {keys.current, keys.pending.key if keys.pending else None}
            assert responder.wireguard in held, self.trail
        assert initiator.wireguard == initiator.keys.current, self.trail
        assert responder.wireguard == responder.keys.current, self.trail
        assert initiator.wireguard in (responder.keys.current, responder.keys.previous), self.trail


def explore(world, depth, visit):
    """Every world within so many steps, each state once; returns how many there were."""
    seen, level = {world.state()}, [world]
    for _ in range(depth):
        following = []
        for current in level:
            for step in current.steps():
                after = current.after(step)
                if after is None or after.state() in seen:
                    continue
                seen.add(after.state())
                visit(after)
                following.append(after)
        level = following
    return len(seen)
