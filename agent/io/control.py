"""HTTPS client of the control plane: one envelope, one error."""

import os
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx

from agent import __version__
from agent.errors import AgentError
from agent.io.port import SO_MARK

TIMEOUT_SECONDS = 15.0
# A connection that was never made carried nothing, so it may be tried again, whatever the call.
CONNECT_SECONDS, CONNECT_TRIES = 5.0, 3


class ApiError(AgentError):
    """The control plane refused. retry_after is in seconds, where it said."""

    def __init__(self, code: str, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(code, f"{code}: {message}")
        self.status, self.retry_after = status, retry_after


class Unreachable(AgentError):
    """No answer from the control plane."""

    def __init__(self, url: str, seconds: float, reason: str) -> None:
        super().__init__("UNREACHABLE", f"cannot reach {url} (gave up after {seconds:.1f} s): {reason}")


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Verifies against the system's authorities, or against ca_file alone; AgentError if unreadable."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise AgentError("INVALID_INPUT", f"cannot read the CA file {ca_file}: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class ControlClient:
    """Calls of one control plane. mark goes on its sockets (daemon only)."""

    def __init__(self, url: str, *, ca_file: str | None = None, mark: int | None = None) -> None:
        self.url = url
        options = [(socket.SOL_SOCKET, SO_MARK, mark)] if mark is not None else []
        transport = httpx.AsyncHTTPTransport(
            verify=tls_context(ca_file), socket_options=options, retries=CONNECT_TRIES - 1
        )
        self._http = httpx.AsyncClient(
            base_url=url,
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            headers={"User-Agent": f"ztna/{__version__}"},
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """`data` of the answer; ApiError for a refusal, Unreachable without an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        began = time.monotonic()
        try:
            response = await self._http.request(method, path, json=body, params=query, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable(self.url, time.monotonic() - began, _reason(error)) from None
        return _unwrap(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _reason(error: BaseException) -> str:
    """What the operating system said, where it said something; libraries wrap it several times."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError | socket.gaierror):
            return str(cause.strerror or cause)
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _unwrap(response: httpx.Response) -> Any:
    try:
        envelope = response.json()
        if envelope["success"]:
            return envelope["data"]
        error = envelope["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        raise ApiError(
            "BAD_ANSWER", f"{response.url.host} does not answer as a control plane", response.status_code
        ) from None
    try:
        retry_after = float(response.headers.get("Retry-After", ""))
    except ValueError:
        retry_after = None
    raise ApiError(code, message, response.status_code, retry_after)
