"""WebSocket (RFC 6455) as relays speak it: the opening handshake and unfragmented frames, no I/O.

A client masks with the key 0: masking protects proxies from scripts in browsers, and here TLS lies
beneath and no browser above. Frames masked with other keys are understood.
"""

import base64
import hashlib
import secrets
import sys
from collections.abc import Mapping
from typing import Final

from relay.http import Head, HttpError, response

BINARY: Final = 0x82
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A
_DATA_OR_CONTROL: Final = (BINARY, CLOSE, PING, PONG)
_MAX_CONTROL_BYTES: Final = 125
HEADER_BYTES: Final = 14
PROTOCOL_ERROR: Final = 1002
TOO_BIG: Final = 1009
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NO_MASK: Final = bytes(4)


class FrameError(Exception):
    """The peer broke the protocol; code is what a close frame may say of it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def split(data: memoryview, *, masked: bool, limit: int) -> tuple[list[tuple[int, memoryview]], int]:
    """Whole frames of data as (first byte, payload), and how many bytes they took.

    masked says whether the peer must mask. A payload above limit bytes, a fragment or an unknown
    opcode is a FrameError as soon as its header is here. data is unmasked in place.
    """
    found: list[tuple[int, memoryview]] = []
    at, end = 0, len(data)
    mask_bytes = 4 if masked else 0
    while end - at >= 2:
        first, second = data[at], data[at + 1]
        size = second & 0x7F
        start = at + 2
        if size == 126:
            start = at + 4
        elif size == 127:
            start = at + 10
        start += mask_bytes
        if first != BINARY:
            _check_control(first, size)
        if (second > 0x7F) is not masked:
            raise FrameError(PROTOCOL_ERROR, "masked the wrong way")
        if end < start:
            break
        if size == 126:
            size = data[at + 2] << 8 | data[at + 3]
        elif size == 127:
            size = int.from_bytes(data[at + 2 : at + 10], "big")
        if size > limit:
            raise FrameError(TOO_BIG, "frame too big")
        if end < start + size:
            break
        at = start + size
        payload = data[start:at]
        # Compared byte by byte: it costs less than a slice, and nearly all keys are 0.
        if masked and (data[start - 1] or data[start - 2] or data[start - 3] or data[start - 4]):
            _unmask(payload, bytes(data[start - 4 : start]))
        found.append((first, payload))
    return found, at


def header(size: int, *, masked: bool, first: int = BINARY) -> bytes:
    """What goes before a payload of size bytes."""
    if size < 126:
        start = bytes((first, size | masked << 7))
    elif size < 65_536:
        start = bytes((first, 126 | masked << 7, size >> 8, size & 0xFF))
    else:
        start = bytes((first, 127 | masked << 7)) + size.to_bytes(8, "big")
    return start + _NO_MASK if masked else start


def close_frame(code: int, *, masked: bool) -> bytes:
    """A close frame with a code of RFC 6455, section 7.4."""
    return header(2, masked=masked, first=CLOSE) + code.to_bytes(2, "big")


def upgrade_request(host: str, path: str, protocol: str) -> tuple[bytes, str]:
    """A client's opening request, and the key that check_answer() wants."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: {protocol}",
    )  # fmt: skip
    return "\r\n".join((*lines, "", "")).encode("ascii"), key


def accept_upgrade(head: Head, protocol: str) -> bytes:
    """The answer to an opening request; HttpError with the status to give instead (section 4.2)."""
    headers = head.headers
    if head.method != "GET" or not _upgrades(headers):
        raise HttpError(426, "not a WebSocket request")
    if headers.get("sec-websocket-version") != "13":
        raise HttpError(426, "WebSocket version")
    key = headers.get("sec-websocket-key", "")
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        valid = False
    if not valid:
        raise HttpError(400, "WebSocket key")
    if protocol not in _tokens(headers, "sec-websocket-protocol"):
        raise HttpError(400, "subprotocol")
    return response(
        101,
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": _accept(key),
            "Sec-WebSocket-Protocol": protocol,
        },
    )


def check_answer(head: Head, key: str) -> None:
    """Whether the server agreed (section 4.1); HttpError tells what it said instead."""
    if head.status != 101:
        raise HttpError(head.status, f"HTTP {head.status}")
    if not _upgrades(head.headers) or head.headers.get("sec-websocket-accept") != _accept(key):
        raise HttpError(head.status, "the answer is not a WebSocket's")


def _check_control(first: int, size: int) -> None:
    if first not in _DATA_OR_CONTROL:
        raise FrameError(PROTOCOL_ERROR, "fragment or unknown opcode")
    if size > _MAX_CONTROL_BYTES:
        raise FrameError(PROTOCOL_ERROR, "control frame too big")


def _unmask(payload: memoryview, key: bytes) -> None:
    """XOR in place, as one big integer: the only way that Python does it at some speed."""
    size = len(payload)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], sys.byteorder)
    payload[:] = (int.from_bytes(payload, sys.byteorder) ^ mask).to_bytes(size, sys.byteorder)


def _accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def _upgrades(headers: Mapping[str, str]) -> bool:
    return "websocket" in _tokens(headers, "upgrade") and "upgrade" in _tokens(headers, "connection")


def _tokens(headers: Mapping[str, str], name: str) -> set[str]:
    return {token.strip().lower() for token in headers.get(name, "").split(",")}
