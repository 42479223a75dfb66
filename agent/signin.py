"""Ways for a person to sign in: browser with PKCE, device code, e-mail and password."""

import asyncio
import base64
import hashlib
import hmac
import html
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from agent.errors import AgentError
from agent.io.control import ApiError, ControlClient

MAX_REQUEST_BYTES = 16 * 1024
STATE_BYTES = 24
VERIFIER_BYTES = 48


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A token pair and the organisation that was chosen, if any."""

    access_token: str
    refresh_token: str
    expires_in: int | None
    org_id: str | None


async def by_browser(
    client: ControlClient, *, timeout_seconds: float, visit: Callable[[str], None]
) -> SignedIn:
    """visit(url) shows the page; it comes back to a loopback port with a one-time code."""
    state = secrets.token_urlsafe(STATE_BYTES)
    verifier = secrets.token_urlsafe(VERIFIER_BYTES)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    callback = _Callback(state)
    server = await asyncio.start_server(callback.serve, "127.0.0.1", 0, limit=MAX_REQUEST_BYTES)
    try:
        port = server.sockets[0].getsockname()[1]
        query = urlencode({"cli_state": state, "code_challenge": challenge, "port": port})
        visit(f"{client.url}/auth/cli?{query}")
        async with asyncio.timeout(timeout_seconds):
            code = await callback.code
    except TimeoutError:
        raise AgentError("TIMEOUT", "authentication timed out") from None
    finally:
        server.close()
    body = {"action": "cli_exchange", "code": code, "code_verifier": verifier, "cli_state": state}
    return _signed_in(await client.call("POST", "/api/auth", body))


async def by_device(
    client: ControlClient, *, hostname: str, timeout_seconds: float, show: Callable[[str, str], None]
) -> SignedIn:
    """RFC 8628: show(url, code); the person approves on another device."""
    started = await client.call("POST", "/api/auth/device", {"action": "start", "hostname": hostname})
    show(str(started["verification_uri"]), str(started["user_code"]))
    interval = float(started["interval"])
    deadline = time.monotonic() + min(timeout_seconds, float(started["expires_in"]))
    while time.monotonic() < deadline:
        await asyncio.sleep(interval)
        try:
            body = {"action": "poll", "device_code": started["device_code"]}
            return _signed_in(await client.call("POST", "/api/auth/device", body))
        except ApiError as error:
            if error.code == "SLOW_DOWN":
                interval += 5
            elif error.code != "AUTHORIZATION_PENDING":
                raise
    raise AgentError("TIMEOUT", "authentication timed out")


async def by_password(
    client: ControlClient, *, email: str, password: str, ask_code: Callable[[], str]
) -> SignedIn:
    """E-mail and password; ask_code is called when a second factor is needed."""
    if not email or not password:
        raise AgentError("INVALID_INPUT", "email and password are required")
    body = {"email": email, "password": password}
    try:
        try:
            return _signed_in(await client.call("POST", "/api/auth/login", body))
        except ApiError as error:
            if error.code != "MFA_REQUIRED":
                raise
            return _signed_in(await client.call("POST", "/api/auth/login", {**body, "totp_code": ask_code()}))
    except ApiError as error:
        reasons = {"INVALID_CREDENTIALS": "invalid credentials", "RATE_LIMITED": "rate limited"}
        reason = reasons.get(error.code, error.message)
        if error.code in ("ACCOUNT_LOCKED", "RATE_LIMITED") and error.retry_after:
            reason += f"; try again in {error.retry_after:.0f} s"
        raise AgentError(error.code, f"login failed: {reason}") from None


class _Callback:
    """Takes one request that carries the right state; all others are refused."""

    def __init__(self, state: str) -> None:
        self._state = state
        self.code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            target = urlsplit(request[1])
            query = parse_qs(target.query)
            code, state = query.get("code", [""])[0], query.get("state", [""])[0]
            good = request[0] == "GET" and target.path in ("/", "/callback") and bool(code)
            good = good and hmac.compare_digest(state, self._state) and not self.code.done()
            writer.write(_page(good))
            await writer.drain()
            if good:
                self.code.set_result(code)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, IndexError, ValueError):
            pass  # no browser speaks like this
        finally:
            writer.close()


def _page(good: bool) -> bytes:
    text = "Signed in. You may close this tab." if good else "This sign-in is not the one that was started."
    body = (
        '<!doctype html><meta charset="utf-8"><title>ztna</title>'
        '<body style="font:16px system-ui;display:grid;place-items:center;height:90vh">'
        f"<p>{html.escape(text)}</p>"
    ).encode()
    status = "200 OK" if good else "400 Bad Request"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _signed_in(pair: Any) -> SignedIn:
    try:
        access = str(pair.get("access_token") or pair["token"])
        expires = pair.get("expires_in")
        return SignedIn(access, str(pair["refresh_token"]), expires, pair.get("org_id"))
    except (KeyError, AttributeError):
        raise AgentError("BAD_ANSWER", "the control plane's answer holds no tokens") from None


def has_display() -> bool:
    """Whether opening a browser here makes sense."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
