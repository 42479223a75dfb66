"""The relay's rules, driven without sockets."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from relay.claims import Claims, TokenRefused
from relay.core import (
    CLOSE_CREDENTIAL,
    CLOSE_PROTOCOL,
    CLOSE_REPLACED,
    CLOSE_SILENT,
    RETIRED_SECONDS,
    Limits,
    RelayCore,
)
from wire import relay as frames


class Machine:
    """A client as the core sees it: a key, an organisation and the bytes it would send."""

    def __init__(self, core, number, org="org-a", private=None):
        self.core, self.id, self.org = core, number, org
        self.private = private or X25519PrivateKey.generate()
        self.key = self.private.public_key().public_bytes_raw()

    def token(self):
        return f"{self.org}:{self.key.hex()}"

    def connect(self, now=0.0):
        self.core.connect(self.id, now)
        self.hello = frames.parse_from_server(self.core.take(self.id, now))
        return self

    def prove(self, token=None, key=None, now=0.0):
        token = token or self.token()
        shared = self.private.exchange(X25519PublicKey.from_public_bytes(self.hello.ephemeral))
        proof = frames.proof(shared, hello=self.hello, key=key or self.key, token=token)
        self.say(frames.ClientHello(key or self.key, proof, token), now)
        return self

    def say(self, message, now=0.0):
        self.core.receive(self.id, frames.encode(message), now)

    def heard(self, now=0.0):
        messages = []
        while (frame := self.core.take(self.id, now)) is not None:
            messages.append(frames.parse_from_server(frame))
        return messages


def verify(token, now):
    org, _, key = token.partition(":")
    if not org.startswith("org-"):
        raise TokenRefused
    return Claims(bytes.fromhex(key), org, now + 900)


@pytest.fixture
def core():
    return RelayCore(verify=verify, random=os.urandom, limits=Limits(queue_bytes=10_000))


def registered(core, number, **options):
    machine = Machine(core, number, **options).connect().prove()
    assert machine.heard() == [frames.Ready(30)]
    return machine


def test_a_batch_reaches_its_addressee_under_the_senders_key(core):
    alpha, beta = registered(core, 1), registered(core, 2)
    alpha.say(frames.Send(beta.key, 4, b"abcdefgh"))
    (batch,) = beta.heard()
    assert (batch.key, batch.segment, bytes(batch.payload)) == (alpha.key, 4, b"abcdefgh")
    assert alpha.heard() == []


def test_nobody_speaks_before_registration(core):
    machine = Machine(core, 1).connect()
    machine.say(frames.Send(os.urandom(32), 4, b"abcd"))
    assert core.closing() == {1: CLOSE_PROTOCOL}


def test_another_organisation_is_never_reached(core):
    alpha, foreign = registered(core, 1), registered(core, 2, org="org-b")
    alpha.say(frames.Send(foreign.key, 4, b"abcd"))
    assert foreign.heard() == []
    assert alpha.heard() == [frames.PeerGone(foreign.key)]


@pytest.mark.parametrize("destination", ["unknown", "self"])
def test_frames_to_the_unknown_and_to_oneself_go_nowhere(core, destination):
    alpha = registered(core, 1)
    key = alpha.key if destination == "self" else os.urandom(32)
    alpha.say(frames.Send(key, 4, b"abcd"))
    assert alpha.heard() == [frames.PeerGone(key)]


def test_a_stolen_token_without_the_key_is_refused(core):
    victim, thief = Machine(core, 1), Machine(core, 2).connect()
    thief.prove(token=victim.token(), key=victim.key)
    assert thief.heard() == [frames.Refused("KEY_NOT_PROVEN")]
    assert core.closing() == {2: CLOSE_CREDENTIAL}


def test_a_token_for_another_key_is_refused(core):
    victim, thief = Machine(core, 1), Machine(core, 2).connect()
    thief.prove(token=victim.token())
    assert thief.heard() == [frames.Refused("KEY_MISMATCH")]


def test_a_bad_token_is_refused(core):
    machine = Machine(core, 1).connect().prove(token="nonsense")
    assert machine.heard() == [frames.Refused("INVALID_TOKEN")]


def test_a_replayed_hello_does_not_open_another_connection(core):
    alpha = Machine(core, 1).connect()
    shared = alpha.private.exchange(X25519PublicKey.from_public_bytes(alpha.hello.ephemeral))
    recorded = frames.ClientHello(
        alpha.key,
        frames.proof(shared, hello=alpha.hello, key=alpha.key, token=alpha.token()),
        alpha.token(),
    )
    alpha.say(recorded)
    attacker = Machine(core, 2).connect()
    attacker.say(recorded)
    assert attacker.heard() == [frames.Refused("KEY_NOT_PROVEN")]
    assert core.clients == 1


def test_a_newer_connection_replaces_the_older_one(core):
    first = registered(core, 1)
    second = registered(core, 2, private=first.private)
    beta = registered(core, 3)
    assert list(core.retiring()) == [1]
    assert list(core.retiring()) == []
    assert core.clients == 2
    beta.say(frames.Send(first.key, 4, b"abcd"))
    assert second.heard() == [], "it may still read from the older one"
    second.say(frames.Ping(bytes(8)))
    pong, batch = second.heard()
    assert isinstance(pong, frames.Pong)
    assert (batch.key, bytes(batch.payload)) == (beta.key, b"abcd")
    assert first.heard() == []


def test_what_was_on_its_way_by_the_older_one_is_taken_for_a_moment(core):
    first, beta = registered(core, 1), registered(core, 2)
    beta.say(frames.Send(first.key, 4, b"abcd"))
    registered(core, 3, private=first.private)
    assert [bytes(batch.payload) for batch in first.heard()] == [b"abcd"]
    assert list(core.retiring()) == [1]
    first.say(frames.Send(beta.key, 4, b"late"))
    assert [(batch.key, bytes(batch.payload)) for batch in beta.heard()] == [(first.key, b"late")]
    first.say(frames.Send(bytes(32), 4, b"void"))
    first.say(frames.Ping(bytes(8)))
    beta.say(frames.Send(first.key, 4, b"more"))
    assert first.heard() == [], "nothing follows its close frame"
    core.handle_timeout(RETIRED_SECONDS)
    assert core.closing() == {1: CLOSE_REPLACED}
    first.say(frames.Send(beta.key, 4, b"dead"))
    assert beta.heard() == []


def test_a_machine_that_is_cut_off_is_cut_off_by_its_older_connection_too(core):
    first, beta = registered(core, 1), registered(core, 2)
    registered(core, 3, private=first.private)
    assert list(core.retiring()) == [1]
    assert core.cut(lambda claims: claims.key == first.key) == 2
    first.say(frames.Send(beta.key, 4, b"evil"))
    assert beta.heard() == []


def test_a_slow_reader_loses_its_oldest_frames_only(core):
    alpha, beta = registered(core, 1), registered(core, 2)
    for number in range(20):
        alpha.say(frames.Send(beta.key, 1000, bytes([number]) * 1000))
    received = [bytes(batch.payload)[0] for batch in beta.heard()]
    assert received == list(range(20))[-len(received) :]
    assert 0 < len(received) < 20
    assert core.dropped == 20 - len(received)


def test_stale_frames_are_not_sent(core):
    alpha, beta = registered(core, 1), registered(core, 2)
    alpha.say(frames.Send(beta.key, 4, b"abcd"))
    assert beta.heard(now=60.0) == []


def test_silence_and_an_ended_token_close_the_connection(core):
    Machine(core, 1).connect()
    registered(core, 2)
    core.handle_timeout(11.0)
    assert core.closing() == {1: CLOSE_SILENT}
    core.disconnect(1)
    core.handle_timeout(91.0)
    assert core.closing() == {2: CLOSE_SILENT}
    core.disconnect(2)
    chatty = registered(core, 3)
    for now in range(0, 900, 30):
        chatty.say(frames.Ping(b"12345678"), float(now))
    core.handle_timeout(901.0)
    assert core.closing() == {3: CLOSE_CREDENTIAL}


def test_a_renewed_token_keeps_the_connection_and_a_foreign_one_ends_it(core):
    alpha, beta = registered(core, 1), registered(core, 2)
    for now in range(0, 1200, 30):
        alpha.say(frames.Renew(alpha.token()), float(now))
    beta.say(frames.Renew(alpha.token()), 60.0)
    assert core.closing() == {2: CLOSE_CREDENTIAL}
    core.disconnect(2)
    core.handle_timeout(1200.0)
    assert core.closing() == {}


def test_answers_to_a_flood_stay_bounded(core):
    alpha = registered(core, 1)
    for _ in range(10_000):
        alpha.say(frames.Send(os.urandom(32), 4, b"abcd"))
    assert len(alpha.heard()) <= 64


class Deliveries(RuleBasedStateMachine):
    """No frame reaches anybody but its addressee, order holds per pair, memory stays bounded."""

    @initialize()
    def start(self):
        self.core = RelayCore(verify=verify, random=os.urandom, limits=Limits(queue_bytes=4_000))
        self.machines = []
        self.left = []  # connections that were replaced
        self.sent = {}
        self.serial = self.connections = 0

    def register(self, **options):
        self.connections += 1
        return registered(self.core, self.connections, **options)

    @rule(org=st.sampled_from(["org-a", "org-b"]))
    def join(self, org):
        if len(self.machines) < 6:
            self.machines.append(self.register(org=org))

    @rule(data=st.data())
    def move(self, data):
        """A machine takes over by a new connection, reads the older one empty, and pings."""
        if not self.machines:
            return
        at = data.draw(st.integers(0, len(self.machines) - 1))
        older = self.machines[at]
        self.machines[at] = newer = self.register(org=older.org, private=older.private)
        assert newer.heard() == []
        self.check(older)
        assert list(self.core.retiring()) == [older.id]
        newer.say(frames.Ping(bytes(8)))
        self.left.append(older)

    @rule(data=st.data(), size=st.integers(1, 1500))
    def send(self, data, size):
        if len(self.machines) < 2:
            return
        sender = data.draw(st.sampled_from([*self.machines, *self.left]))
        receiver = data.draw(st.sampled_from(self.machines))
        self.serial += 1
        payload = self.serial.to_bytes(4, "big") + b"x" * size
        sender.say(frames.Send(receiver.key, len(payload), payload))
        if sender.key != receiver.key and sender.org == receiver.org:
            self.sent.setdefault((sender.key, receiver.key), []).append(payload)

    @rule(data=st.data())
    def read(self, data):
        if not self.machines:
            return
        self.check(data.draw(st.sampled_from(self.machines)))

    def check(self, receiver):
        for message in receiver.heard():
            if isinstance(message, frames.Recv):
                expected = self.sent[(message.key, receiver.key)]
                position = expected.index(bytes(message.payload))
                del expected[: position + 1]

    @invariant()
    def silent(self):
        """Who was replaced hears nothing more."""
        for machine in getattr(self, "left", ()):
            assert machine.heard() == []

    @invariant()
    def bounded(self):
        if hasattr(self, "core"):
            for connection in self.core._connections.values():
                assert connection.queue.queued_bytes <= 4_000 or len(connection.queue) == 1
                assert len(connection.outbox) <= 64


TestDeliveries = Deliveries.TestCase
