"""`ztna nc HOST PORT`."""

import contextlib
import errno
import ipaddress
import os
import selectors
import socket
import sys
import time

import click

from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.errors import AgentError

_CHUNK = 64 * 1024
_SOCKS_ERRORS = {5: errno.ECONNREFUSED, 4: errno.EHOSTUNREACH}
_REASONS = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timed out",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable; is the tunnel up?",
    errno.ECONNRESET: "reset by the peer",
}


@click.command()
@click.argument("host")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option("-u", "udp", is_flag=True, help="UDP: each read of standard input is a datagram.")
@click.option("-w", "wait", type=DURATION, default="10s", show_default=True, help="Limit of connecting.")
@click.pass_obj
def command(context: Context, host: str, port: int, udp: bool, wait: float) -> None:
    """Carry standard input to PORT of HOST through the tunnel, and its answer to standard output."""
    context.machine()
    proxied = (context.ask_if_running("status") or {}).get("mode") == "userspace"
    if proxied and udp:
        raise AgentError("UNSUPPORTED", "userspace mode carries TCP only")
    try:
        address = _address(context, host)
        with (
            _through_proxy(context, address, port, wait=wait)
            if proxied
            else _connect(address, port, udp=udp, wait=wait)
        ) as connection:
            _carry(connection, idle=wait if udp else None)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AgentError("CONNECT_FAILED", f"{host}:{port}: {_reason(error)}") from None


def _address(context: Context, host: str) -> str:
    """A peer's tailnet address, or an address as given: it may lie behind a subnet router."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return str(context.find_peer(host)["tailnet_ip"])


def _connect(address: str, port: int, *, udp: bool, wait: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    try:
        connection.settimeout(wait)
        connection.connect((address, port))
        connection.settimeout(None)
    except OSError:
        connection.close()
        raise
    return connection


def _through_proxy(context: Context, address: str, port: int, *, wait: float) -> socket.socket:
    """By the daemon's SOCKS5 proxy (RFC 1928), for this host has no route into the tunnel."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(wait)
        connection.connect(str(context.settings.proxy_socket))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = b"\x04" if family == socket.AF_INET6 else b"\x01"
        place = kind + socket.inet_pton(family, address) + port.to_bytes(2, "big")
        connection.sendall(b"\x05\x01\x00" + b"\x05\x01\x00" + place)
        answer = _exactly(connection, 2 + 10)
        if answer[3]:
            raise OSError(_SOCKS_ERRORS.get(answer[3], errno.EHOSTUNREACH), "")
        connection.settimeout(None)
    except OSError:
        connection.close()
        raise
    return connection


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError(errno.ECONNRESET, "")
        data += part
    return data


def _carry(connection: socket.socket, *, idle: float | None) -> None:
    """Both ways until the peer is done. idle ends a UDP exchange that long after the last datagram."""
    inward, outward = sys.stdin.fileno(), sys.stdout.fileno()
    connection.setblocking(False)
    waiting = b""  # what the peer has not taken yet; no more is read meanwhile
    reading, quiet_since = True, time.monotonic()
    with selectors.DefaultSelector() as selector:
        # A file is always ready, and epoll will not have it.
        file = not _pollable(selector, inward)
        if not file:
            selector.unregister(inward)
        while True:
            _watch(selector, connection, selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0))
            listens = reading and not waiting
            if not file:
                _watch(selector, inward, selectors.EVENT_READ if listens else 0)
            pause = 0.0 if file and listens else None
            if not reading and idle is not None:
                pause = max(0.0, quiet_since + idle - time.monotonic())
            ready = {key.fd: events for key, events in selector.select(pause)}
            if not ready and not reading:
                return  # a UDP peer that has nothing more to say
            events = ready.get(connection.fileno(), 0)
            if events & selectors.EVENT_READ:
                data = connection.recv(_CHUNK)
                if not data and idle is None:
                    return
                _write(outward, data)
                quiet_since = time.monotonic()
            if listens and (file or inward in ready):
                waiting = os.read(inward, _CHUNK)
                if not waiting:
                    reading, quiet_since = False, time.monotonic()
                    if idle is None:
                        connection.shutdown(socket.SHUT_WR)
            if waiting:
                with contextlib.suppress(BlockingIOError):
                    waiting = waiting[connection.send(waiting) :]


def _watch(selector: selectors.BaseSelector, file: socket.socket | int, events: int) -> None:
    """Make a selector watch for exactly these events."""
    known = selector.get_map().get(file)
    if known is not None and known.events != events:
        selector.unregister(file)
        known = None
    if known is None and events:
        selector.register(file, events)


def _pollable(selector: selectors.BaseSelector, descriptor: int) -> bool:
    try:
        selector.register(descriptor, selectors.EVENT_READ)
    except PermissionError:
        return False
    return True


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
