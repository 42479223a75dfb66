"""Peers that break the rules below the relay's own protocol, against the real server."""

import asyncio
import contextlib
import secrets

import pytest

from relay import server as server_module
from relay import transport, waiting, websocket
from tests.relay.live import HOST, dial, open_tls
from wire import relay as frames

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    f"GET {frames.PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {frames.SUBPROTOCOL}\r\n\r\n"
)


async def ask(relay, request):
    """Everything that the relay answers to raw bytes."""
    reader, writer = await open_tls(relay)
    writer.write(request if isinstance(request, bytes) else request.encode())
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def upgraded(relay):
    """A WebSocket that has been greeted, and says nothing yet."""
    reader, writer = await open_tls(relay)
    writer.write(UPGRADE.encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # the example of RFC 6455, section 1.3
    await reader.readexactly(2 + 2 + 64)
    return reader, writer


async def closed_with(reader):
    """The code of the close frame that ends a connection."""
    data = await asyncio.wait_for(reader.read(), 5)
    assert data[:2] == b"\x88\x02", data
    return int.from_bytes(data[2:4], "big")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Connection: Upgrade", "Connection: close", 426),
        ("Version: 13", "Version: 8", 426),
        (f"Key: {KEY}", "Key: AAAA", 400),
        (f"Key: {KEY}", "Key: not base64 at all!", 400),
        (frames.SUBPROTOCOL, "chat", 400),
        (f"Host: {HOST}\r\n", "", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("GET", "POST", 426),
        ("Host:", "Content-Length: 5\r\nHost:", 400),
        ("Host:", "Transfer-Encoding: chunked\r\nHost:", 400),
        ("Host:", " folded\r\nHost:", 400),
        ("Host:", "Na\x00me: x\r\nHost:", 400),
        ("Host:", "X: \x01\r\nHost:", 400),
        ("Host:", f"X: {'y' * 9000}\r\nHost:", 431),
        (frames.PATH, f"{frames.PATH}/../admin", 404),
    ],
)
async def test_a_malformed_upgrade_is_refused(relay, old, new, status):
    answer = await ask(relay, UPGRADE.replace(old, new, 1))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert relay.core.connections == 0


async def test_bytes_that_are_no_http_are_refused(relay):
    assert (await ask(relay, secrets.token_bytes(300) + b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x82\x05hello", 1002),  # not masked
        (b"\x02\x85\0\0\0\0hello", 1002),  # a fragment
        (b"\xc2\x85\0\0\0\0hello", 1002),  # an extension that nobody agreed on
        (b"\x83\x85\0\0\0\0hello", 1002),  # an opcode of the future
        (b"\x81\x85\0\0\0\0hello", 1002),  # text
        (b"\x89\xfe\0\x7e\0\0\0\0", 1002),  # a ping of more than 125 bytes
        (b"\x82\xff\0\0\0\0\0\x01\0\0\0\0\0\0", 1009),  # longer than any frame
        (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009),
        (b"\x82\x80\0\0\0\0", 1002),  # empty
        (b"\x88\x82\0\0\0\0\x03\xe8", 1000),  # goodbye
        (websocket.header(100, masked=True) + bytes(100), 1002),  # noise instead of a hello
    ],
)
async def test_frames_against_the_rules_end_the_connection(relay, data, code):
    reader, writer = await upgraded(relay)
    writer.write(data)
    assert await closed_with(reader) == code
    assert relay.core.connections == 0
    writer.close()


async def test_a_ping_of_the_websocket_is_answered_while_frames_are_cut_anywhere(relay):
    reader, writer = await upgraded(relay)
    mask = b"\x01\x02\x03\x04"
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(b"hello"))
    for byte in b"\x89\x85" + mask + masked:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(reader.readexactly(7), 5) == b"\x8a\x05hello"
    writer.close()


async def test_plain_tcp_is_hung_up_on_and_harms_nobody(relay):
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", secrets.token_bytes(500), b"\x16\x03\x01\xff\xff"):
        sock = await asyncio.to_thread(dial, relay.port)
        sock.sendall(data)
        sock.close()
    await (await relay.client().up()).up_and_running()
    await eventually(lambda: not len(relay.server.waiting))


async def test_who_never_speaks_is_cut_off(relay, monkeypatch):
    monkeypatch.setattr(waiting, "HANDSHAKE_SECONDS", 0.3)
    monkeypatch.setattr(server_module, "TICK_SECONDS", 0.1)
    silent = await asyncio.to_thread(dial, relay.port)
    _, half = await open_tls(relay)  # TLS, and then nothing
    half.write(b"GET /derp HT")
    await eventually(lambda: len(relay.server.waiting) == 2)
    await eventually(lambda: not len(relay.server.waiting))
    assert await asyncio.to_thread(silent.recv, 1) == b""
    silent.close()
    half.close()


async def test_a_crowd_of_one_address_leaves_room_for_others(relay, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_PER_ADDRESS", 20)
    crowd = [await asyncio.to_thread(dial, relay.port, "127.0.0.9") for _ in range(30)]
    await eventually(lambda: relay.server.turned_away == 10)
    await (await relay.client().up()).up_and_running()
    for sock in crowd:
        sock.close()


async def test_a_crowd_from_everywhere_displaces_the_oldest(relay, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_WAITING", 20)
    crowd = [await asyncio.to_thread(dial, relay.port, f"127.0.1.{at}") for at in range(40)]
    await eventually(lambda: len(relay.server.waiting) == 20)
    await (await relay.client().up()).up_and_running()
    for sock in crowd:
        sock.close()


async def test_a_half_open_connection_does_not_stay(relay, monkeypatch):
    """A peer that vanished without a word: it reads nothing and acknowledges nothing more."""
    monkeypatch.setattr(transport, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(server_module, "TICK_SECONDS", 0.1)
    alpha, beta = await relay.client().up(), await relay.client().up()
    beta.stop_reading()
    payload = secrets.token_bytes(60_000)
    for _ in range(2000):
        if relay.core.clients == 1:
            break
        alpha.link.send(beta.key, 1200, payload)
        await asyncio.sleep(0.005)
    assert relay.core.clients == 1


async def test_a_reader_that_stops_costs_bounded_memory_and_nobody_else(relay):
    alpha, beta, gamma = [await relay.client().up() for _ in range(3)]
    beta.stop_reading()
    payload = secrets.token_bytes(60_000)
    for _ in range(500):
        alpha.link.send(beta.key, 1200, payload)
        await asyncio.sleep(0.001)
    held = sum(client.stream.unsent for client in relay.server.clients)
    assert held <= 2 * server_module.GATHER_BYTES
    alpha.link.send(gamma.key, 5, b"still")
    assert await asyncio.wait_for(gamma.received.get(), 5) == (alpha.key, 5, b"still")
    assert relay.core.dropped > 0


async def eventually(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.02)
