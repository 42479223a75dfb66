"""One request to a webhook: signed, over verified TLS, to an address that was judged, followed nowhere."""

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit
from uuid import UUID

import h11

from apps.core.outward import IPNetwork, Refused, addresses_of, check_public

SECONDS = 5.0
RESPONSE_BYTES = 4096
KEPT_TEXT = 1000
HEAD_BYTES = 16 * 1024
HTTPS = 443
MOST_ADDRESSES = 4
# A dead name server holds a thread up longer than the call that gave up on it. Targets that fail have
# threads of their own, so that they use up nobody else's.
LOOKUPS = ThreadPoolExecutor(32, thread_name_prefix="webhook-lookup")
SUSPECT_LOOKUPS = ThreadPoolExecutor(8, thread_name_prefix="webhook-suspect")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent where. secret signs it; suspect: the target failed when it was last tried."""

    id: UUID
    url: str
    event: str
    body: str
    secret: str
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try: an answer, or the error that kept it away."""

    duration_ms: int
    status: int | None = None
    response: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def signature(secret: str, moment: int, body: str) -> str:
    """The header's value: a moment and the HMAC-SHA256 of `moment.body` under the secret."""
    digest = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256)
    return f"t={moment},v1={digest.hexdigest()}"


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The system's authorities, and those of a file."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


async def send(letter: Letter, tls: ssl.SSLContext, allowed: Iterable[IPNetwork]) -> Outcome:
    """Try once; whatever goes wrong is an outcome. Takes SECONDS at most."""
    began = time.monotonic()

    def outcome(**found: object) -> Outcome:
        return Outcome(duration_ms=round((time.monotonic() - began) * 1000), **found)

    try:
        async with asyncio.timeout(SECONDS):
            status, text = await _exchange(letter, tls, allowed)
    except TimeoutError:
        return outcome(error=f"no answer within {SECONDS:g} s")
    except Refused as refusal:
        return outcome(error=str(refusal))
    except ssl.SSLError as error:
        return outcome(error=f"TLS: {getattr(error, 'verify_message', '') or error.reason or 'failed'}"[:200])
    except (ConnectionResetError, BrokenPipeError):
        return outcome(error="the connection broke off")
    except OSError as error:
        return outcome(error=f"no connection: {error.strerror or type(error).__name__}"[:200])
    except (h11.RemoteProtocolError, h11.LocalProtocolError, EOFError):
        return outcome(error="the answer is not HTTP")
    redirected = "redirects are not followed" if 300 <= status < 400 else ""
    return outcome(status=status, response=text, error=redirected)


async def _exchange(letter: Letter, tls: ssl.SSLContext, allowed: Iterable[IPNetwork]) -> tuple[int, str]:
    parts = urlsplit(letter.url)
    host, port = parts.hostname or "", parts.port or HTTPS
    lookups = SUSPECT_LOOKUPS if letter.suspect else LOOKUPS
    found = await asyncio.get_running_loop().run_in_executor(lookups, addresses_of, host, port)
    check_public(found, allowed=allowed)
    reader, writer = await _dial(dict.fromkeys(found), host, port, tls)
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        body = letter.body.encode()
        target = f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}"
        request = h11.Request(
            method="POST", target=target, headers=_headers(letter, parts.netloc.lower(), len(body))
        )
        events = (request, h11.Data(data=body), h11.EndOfMessage())
        writer.write(b"".join(connection.send(event) or b"" for event in events))
        await writer.drain()
        return await _answer(connection, reader)
    finally:
        # Nothing more is of interest, and a polite end would wait for the other side.
        writer.transport.abort()


async def _dial(
    addresses: Iterable[str], host: str, port: int, tls: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The first address that takes the connection; what TLS finds wrong there is final."""
    failure: OSError = OSError("no address")
    for address in islice(addresses, MOST_ADDRESSES):
        try:
            return await asyncio.open_connection(address, port, ssl=tls, server_hostname=host)
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
    raise failure


def _headers(letter: Letter, host: str, length: int) -> list[tuple[str, str]]:
    return [
        ("Host", host),
        ("Content-Type", "application/json"),
        ("Content-Length", str(length)),
        ("User-Agent", "QuickZTNA-Webhooks/1"),
        ("Connection", "close"),
        ("X-QuickZTNA-Event", letter.event),
        ("X-QuickZTNA-Delivery", str(letter.id)),
        ("X-QuickZTNA-Signature", signature(letter.secret, int(time.time()), letter.body)),
    ]


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status, and the beginning of the text, also where the rest of it never comes."""
    status, text = None, b""
    while len(text) < RESPONSE_BYTES:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            if status is None:
                raise
            break
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(RESPONSE_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            text += event.data
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            break
    if status is None:
        raise EOFError
    return status, text[:RESPONSE_BYTES].decode(errors="replace").replace("\0", "�")[:KEPT_TEXT]
