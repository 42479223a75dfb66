"""The browsers' socket: what it tells, what it limits, when it closes."""

import json

import pytest
from channels.db import database_sync_to_async
from django.db import transaction

from apps.auth.models import Session
from apps.auth.sessions import access_token, end_sessions
from apps.core import consumers, realtime, slots
from apps.orgs.members import remove_member
from quickztna.sockets import application_for
from tests.sockets import Closed, Socket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def open_socket(cast):
    opened = []

    async def connect(person, org, **options):
        token = await database_sync_to_async(access_token)(person.session)
        offered = options.pop("subprotocols", ["quickztna.v1", f"access_token.{token}"])
        query = f"org_id={org.pk}{options.pop('query', '')}"
        socket = Socket(application_for(None), "/api/realtime", query, offered, **options)
        await socket.connect()
        opened.append(socket)
        hello = await socket.receive()
        assert hello["type"] == "connected"
        socket.hello = hello
        return socket

    yield connect
    for socket in opened:
        await socket.disconnect()


def publish(org, text="x", channel="members"):
    realtime.publish(org=org, channel=channel, event="UPDATE", table="org_members", payload={"id": text})


async def test_a_member_hears_what_it_asked_for(cast, open_socket):
    socket = await open_socket(cast.bob, cast.org_a)
    assert socket.subprotocol == "quickztna.v1"
    assert "keys" not in socket.hello["availableChannels"]
    await socket.send({"type": "subscribe", "channels": ["members", "keys", "nonsense"]})
    assert await socket.receive() == {
        "type": "subscribed",
        "channels": ["members"],
        "refused": ["keys", "nonsense"],
    }
    await database_sync_to_async(publish)(cast.org_a, channel="general")
    await database_sync_to_async(publish)(cast.org_a, "heard")
    event = await socket.receive()
    assert (event["channel"], event["payload"], event["seq"]) == ("members", {"id": "heard"}, event["seq"])
    await socket.send({"type": "unsubscribe", "channels": ["members"]})
    assert (await socket.receive())["channels"] == []
    await database_sync_to_async(publish)(cast.org_a)
    assert await socket.silent()


async def test_a_rolled_back_change_is_not_told(cast, open_socket):
    def fail():
        with transaction.atomic():
            publish(cast.org_a)
            transaction.set_rollback(True)

    socket = await open_socket(cast.bob, cast.org_a)
    await socket.send({"type": "subscribe", "table": "org_members", "event": "*"})
    assert (await socket.receive())["channels"] == ["members"]
    await database_sync_to_async(fail)()
    assert await socket.silent()


async def test_missed_events_are_told_again(cast, open_socket):
    socket = await open_socket(cast.bob, cast.org_a)
    await socket.send({"type": "subscribe", "channels": ["members"]})
    await socket.receive()
    seq = socket.hello["seq"]
    await database_sync_to_async(publish)(cast.org_a, "first")
    await socket.receive()
    await socket.send({"type": "resume", "seq": seq})
    assert (await socket.receive())["payload"] == {"id": "first"}
    await socket.send({"type": "resume", "seq": seq + 1000})
    assert await socket.receive() == {"type": "event", "event": "REFRESH"}
    await socket.send({"type": "resume", "seq": "x"})
    assert (await socket.receive())["code"] == "INVALID_INPUT"


async def test_the_end_of_a_session_or_membership_closes_within_a_second(cast, open_socket):
    first, second = [await open_socket(person, cast.org_a) for person in (cast.alice, cast.bob)]
    mine = Session.objects.filter(pk=cast.alice.session.pk)
    await database_sync_to_async(end_sessions)(mine, reason="logout")
    with pytest.raises(Closed) as closed:
        await first.receive(timeout=1)
    assert closed.value.code == 4001
    await database_sync_to_async(remove_member)(
        org=cast.org_a, actor=cast.alice.actor, user_id=cast.bob.user.pk
    )
    with pytest.raises(Closed) as closed:
        await second.receive(timeout=1)
    assert closed.value.code == 4003


async def test_silence_and_expiry_close(cast, open_socket, monkeypatch):
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(consumers, "SILENCE_SECONDS", 0.02)
    socket = await open_socket(cast.bob, cast.org_a)
    with pytest.raises(Closed) as closed:
        await socket.receive(timeout=2)
    assert closed.value.code == 4000
    monkeypatch.setattr(consumers, "SILENCE_SECONDS", 90)
    # The tolerance for clocks is for opening: an open socket ends with its token.
    monkeypatch.setattr("apps.auth.sessions.ACCESS_SECONDS", 2)
    socket = await open_socket(cast.bob, cast.org_a)
    with pytest.raises(Closed) as closed:
        await socket.receive(timeout=10)
    assert closed.value.code == 4001


async def test_frames_are_limited(cast, open_socket):
    socket = await open_socket(cast.bob, cast.org_a)
    for text in ("{", "[]", '{"type": "fly"}', '{"type": ["x"]}'):
        await socket.send_text(text)
        assert (await socket.receive())["type"] == "error"
    await socket.send_text(json.dumps({"type": "ping", "fill": "x" * 9000}))
    with pytest.raises(Closed) as closed:
        await socket.receive()
    assert closed.value.code == 1009
    socket = await open_socket(cast.bob, cast.org_a)
    for _ in range(21):
        await socket.send({"type": "ping"})
    for _ in range(20):
        assert (await socket.receive())["type"] == "pong"
    with pytest.raises(Closed) as closed:
        await socket.receive()
    assert closed.value.code == 4008


async def test_broadcasts_reach_others_and_are_limited(cast, open_socket):
    speaker, listener = [await open_socket(person, cast.org_a) for person in (cast.alice, cast.bob)]
    for socket in (speaker, listener):
        await socket.send({"type": "subscribe", "channels": ["general"]})
        await socket.receive()
    for _ in range(10):
        await speaker.send({"type": "broadcast", "event": "note", "payload": {"a": 1}})
        assert (await listener.receive())["payload"] == {"a": 1}
    for message in ({"event": "note"}, {"payload": "x" * 5000}, {"channel": "machines"}):
        await speaker.send({"type": "broadcast", **message})
        assert (await speaker.receive())["code"] in ("RATE_LIMITED", "INVALID_INPUT")
    assert await listener.silent()


async def test_an_organisation_has_so_many_sockets(cast, open_socket, monkeypatch):
    monkeypatch.setattr(slots, "MOST_SOCKETS", 1)
    socket = await open_socket(cast.bob, cast.org_a)
    with pytest.raises(Closed) as closed:
        await open_socket(cast.alice, cast.org_a)
    assert closed.value.code == 429
    await socket.disconnect()
    await open_socket(cast.alice, cast.org_a)


async def test_a_ticket_opens_one_socket_of_its_organisation(cast, open_socket):
    def ticket():
        body = {"org_id": str(cast.org_a.pk)}
        return cast.bob.client.call("/api/realtime-ticket", body).json()["data"]["ticket"]

    first = f"&ticket={await database_sync_to_async(ticket)()}"
    await open_socket(cast.bob, cast.org_a, query=first, subprotocols=[])
    with pytest.raises(Closed, match="401"):
        await open_socket(cast.bob, cast.org_a, query=first, subprotocols=[])
    other = f"&ticket={await database_sync_to_async(ticket)()}"
    with pytest.raises(Closed, match="401"):
        await open_socket(cast.bob, cast.org_b, query=other, subprotocols=[])


async def test_a_token_in_the_address_is_refused(cast, open_socket):
    token = await database_sync_to_async(access_token)(cast.bob.session)
    with pytest.raises(Closed, match="401"):
        await open_socket(cast.bob, cast.org_a, query=f"&token={token}", subprotocols=["quickztna.v1"])


async def test_the_token_is_renewed_over_the_socket(cast, open_socket):
    socket = await open_socket(cast.bob, cast.org_a)
    token = await database_sync_to_async(access_token)(cast.bob.session)
    await socket.send({"type": "auth", "token": token})
    assert (await socket.receive())["type"] == "authenticated"
    foreign = await database_sync_to_async(access_token)(cast.charlie.session)
    await socket.send({"type": "auth", "token": foreign})
    with pytest.raises(Closed, match="4001"):
        await socket.receive()
