"""The little HTTP/1.1 (RFC 9112) that opens a WebSocket and answers probes: heads, no bodies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

MAX_HEAD_BYTES: Final = 8192
_END: Final = b"\r\n\r\n"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST: Final = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.1")
_STATUS: Final = re.compile(r"HTTP/1\.1 ([1-5][0-9]{2})(?: [ -~]*)?")


class HttpError(Exception):
    """A head that is refused; status is the answer it deserves."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """Start line and headers; names in lower case, repeated ones joined by commas.

    A request has method and path (without query), a response has status.
    """

    headers: Mapping[str, str]
    method: str = ""
    path: str = ""
    status: int = 0


def find_head(data: bytes) -> tuple[bytes, int] | None:
    """The head at the start of data and its length with the empty line; None while it is not whole.

    HttpError 431 when it is longer than MAX_HEAD_BYTES.
    """
    end = data.find(_END, 0, MAX_HEAD_BYTES)
    if end < 0:
        if len(data) >= MAX_HEAD_BYTES:
            raise HttpError(431, "head too long")
        return None
    return data[:end], end + len(_END)


def parse_request(raw: bytes) -> Head:
    """A request's head; HttpError 400 for anything but plain HTTP/1.1."""
    start, headers = _split(raw)
    found = _REQUEST.fullmatch(start)
    if found is None or "host" not in headers:
        raise HttpError(400, "malformed request")
    # No request that opens a WebSocket or a probe has a body.
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise HttpError(400, "request with a body")
    return Head(headers, method=found[1], path=found[2].partition("?")[0])


def parse_response(raw: bytes) -> Head:
    """A response's head."""
    start, headers = _split(raw)
    found = _STATUS.fullmatch(start)
    if found is None:
        raise HttpError(502, "malformed response")
    return Head(headers, status=int(found[1]))


def response(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """A whole response; all but 101 close the connection."""
    fields = dict(headers or {})
    if status != HTTPStatus.SWITCHING_PROTOCOLS:
        fields |= {"Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


def _split(raw: bytes) -> tuple[str, dict[str, str]]:
    try:
        start, *lines = raw.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise HttpError(400, "head is not ASCII") from None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or any(ord(char) < 32 and char != "\t" for char in value):
            raise HttpError(400, "malformed header")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return start, headers
