"""What is fuzzed: each target takes any bytes and fails on anything but an orderly refusal."""

import contextlib
import json
from collections.abc import Callable

from relay import batchio, http, websocket
from relay import stun as stun_server
from relay.claims import Claims, TokenRefused
from relay.core import Limits, RelayCore
from relay.tokens import TokenVerifier
from wire import control, disco, psk, relay, stun
from wire.binary import Endpoint, WireError
from wire.connections import Counted, FilterTrial
from wire.netmap import Netmap, NetmapDelta


def fuzz_disco(data: bytes) -> None:
    """Packets and opened boxes: what can be read is written back as the same bytes."""
    try:
        sender, nonce, box = disco.split_packet(data)
        assert disco.pack_header(sender, nonce) + box == data
    except WireError:
        pass
    try:
        message = disco.decode(data)
    except WireError:
        return
    again = disco.encode(message)
    # Addresses have two spellings (RFC 4291 section 2.5.5.2), everything else has one.
    assert again == data or disco.decode(again) == message
    if isinstance(message, psk.Part):
        joiner = psk.Joiner()
        whole = [joiner.add(part) for part in (message, message)]
        assert message.count > 1 or whole[0] is not None


def fuzz_stun(data: bytes) -> None:
    """Messages from any server or stranger."""
    try:
        message = stun.parse(data)
        message.unknown_required()
        endpoint = message.mapped_endpoint()
    except WireError:
        return
    if endpoint is not None:
        txid = data[8:20]
        assert stun.parse(stun.binding_success(txid, endpoint)).mapped_endpoint() == endpoint


def fuzz_relay(data: bytes) -> None:
    """Frames of both directions: none is valid in both but keepalives and none has two spellings."""
    read = []
    for parse in (relay.parse_from_client, relay.parse_from_server):
        try:
            message = parse(data)
        except WireError:
            continue
        assert relay.encode(message) == data
        read.append(message)
        if isinstance(message, relay.Send | relay.Recv):
            batch = relay.datagrams(message.segment, message.payload)
            assert b"".join(batch) == bytes(message.payload)
        if isinstance(message, relay.Send):
            header = relay.recv_header(b"k" * relay.KEY_BYTES)
            onward = relay.parse_from_server(relay.readdress(memoryview(data), header))
            assert isinstance(onward, relay.Recv)
            assert onward.payload == message.payload
    assert len(read) < 2 or isinstance(read[0], relay.Ping | relay.Pong)


def fuzz_netmap(data: bytes) -> None:
    """Maps and deltas from a control plane gone bad, in the frames that carry them."""
    text = data.decode("utf-8", "replace")
    for parse in (control.parse_from_server, control.parse_from_agent):
        with contextlib.suppress(WireError):
            parse(text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    for kind in (Netmap, NetmapDelta, FilterTrial, Counted):
        try:
            found = kind.from_json(document)
        except WireError:
            continue
        assert kind.from_json(json.loads(json.dumps(found.to_json()))) == found


def fuzz_relaycore(data: bytes) -> None:
    """A relay with four clients in two organisations, driven by a script of operations.

    Each operation is: connection (1) | kind (1) | length (1) | that many bytes of a frame.
    """
    core = RelayCore(verify=_claims, random=lambda size: bytes(range(size)), limits=Limits())
    now, place = 0.0, 0
    core.connect(0, now)
    while place + 3 <= len(data):
        number, kind, length = data[place] % 4, data[place + 1], data[place + 2]
        frame = data[place + 3 : place + 3 + length]
        place += 3 + length
        match kind % 8:
            case 0:
                core.disconnect(number)
                core.connect(number, now)
            case 1:
                core.disconnect(number)
            case 2:
                now += length
                core.handle_timeout(now)
            case 3:
                # Registered without a proof: what registered clients say must be reached too.
                _register(core, number, now)
            case _:
                core.receive(number, frame, now)
        for ready in core.ready():
            while (sent := core.take(ready, now)) is not None:
                relay.parse_from_server(sent)
        assert all(core.take(retired, now) is None for retired in core.retiring())
        for closed in core.closing():
            core.disconnect(closed)
        assert core.clients <= core.connections <= 4


def _claims(token: str, now: float) -> Claims:
    if not token.startswith("org-"):
        raise TokenRefused
    return Claims(token.encode().ljust(32, b"-")[:32], token[:5], now + 900)


def _register(core: RelayCore, number: int, now: float) -> None:
    connection = core._connections.get(number)
    if connection is not None and connection.claims is None:
        # The last one takes over from the first.
        core._admit(connection, _claims(("org-00", "org-01", "org-10", "org-00")[number], now), now)


def _demand(holds: bool) -> None:
    if not holds:
        raise AssertionError("refused in the wrong way")


def fuzz_stunserver(data: bytes) -> None:
    """What the server answers to strangers: bounded, and of the same transaction."""
    if len(data) > batchio.SLOT_BYTES:
        return
    answer = stun_server.answer(data, Endpoint("2001:db8::1", 40000))
    if answer is not None:
        assert len(answer) <= 92
        assert answer[4:20] == data[4:20]
        assert data[:2] == b"\0\1"


def fuzz_upgrade(data: bytes) -> None:
    """Heads of requests and responses: refused with a status, or answered as the RFC says."""
    try:
        found = http.find_head(data)
    except http.HttpError as error:
        _demand(error.status == 431)
        return
    if found is None:
        return
    raw, length = found
    assert data[:length] == raw + b"\r\n\r\n"
    with contextlib.suppress(http.HttpError):
        websocket.check_answer(http.parse_response(raw), "key")
    try:
        answer = websocket.accept_upgrade(http.parse_request(raw), relay.SUBPROTOCOL)
    except http.HttpError as error:
        _demand(400 <= error.status < 500)
        return
    assert answer.startswith(b"HTTP/1.1 101 ")
    # Nothing of the request gets into our own lines but a hash.
    assert answer.count(b"\r\n") == 6


def fuzz_websocket(data: bytes) -> None:
    """Frames of both directions: whole ones only, within the limit, and what is left is a beginning."""
    for masked in (True, False):
        view = memoryview(bytearray(data))
        try:
            found, taken = websocket.split(view, masked=masked, limit=1024)
        except websocket.FrameError as error:
            _demand(error.code in (websocket.PROTOCOL_ERROR, websocket.TOO_BIG))
            continue
        assert taken <= len(data)
        assert sum(len(payload) for _, payload in found) <= taken
        assert all(len(payload) <= 1024 for _, payload in found)
        if not masked:
            frames = [websocket.header(len(p), masked=False, first=f) + bytes(p) for f, p in found]
            assert (
                websocket.split(memoryview(bytearray(b"".join(frames))), masked=False, limit=1024)[0] == found
            )


def fuzz_token(data: bytes) -> None:
    """Tokens that nobody signed."""
    verifier = TokenVerifier(region="lon1")
    with contextlib.suppress(TokenRefused):
        verifier.verify(data.decode("latin-1"), 0.0)
        raise AssertionError("an unsigned token is good")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "disco": fuzz_disco,
    "netmap": fuzz_netmap,
    "relay": fuzz_relay,
    "relaycore": fuzz_relaycore,
    "stun": fuzz_stun,
    "stunserver": fuzz_stunserver,
    "token": fuzz_token,
    "upgrade": fuzz_upgrade,
    "websocket": fuzz_websocket,
}
