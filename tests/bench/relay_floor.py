"""What TLS alone costs: the floors that the relay's cost per datagram is held against.

Both run the relay's own TLS backend on batches of 12 datagrams, five of them at a time, and parse,
look up and copy nothing. without_sockets() decrypts and encrypts in memory. with_sockets() is a
single-threaded TLS echo on loopback: one recv, decrypt, encrypt, one send.
"""

import os
import socket
import tempfile
import threading
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from relay.tls import TlsSession, client_context, server_context
from relay.tls.session import TlsContext
from tests.bench.measure import pin
from tests.lab.pki import Authority
from wire import relay as frames

HOST = "relay.floor"
DATAGRAM = 1280
_AT_ONCE = 5
_BATCH = frames.IDLE_BATCH_BYTES // DATAGRAM
_ROUND = _AT_ONCE * _BATCH


def without_sockets(directory: Path, seconds: float) -> float:
    """CPU microseconds per datagram of a loop that decrypts and encrypts, no more."""
    contexts = _contexts(directory)
    client, server = contexts[0].session(HOST), contexts[1].session()
    _deliver(contexts[0], client, b"")
    while not (client.established and server.established):
        _deliver(contexts[1], server, client.outgoing())
        _deliver(contexts[0], client, server.outgoing())
    plain = os.urandom(_AT_ONCE * _BATCH * DATAGRAM)
    spent, count, end = 0.0, 0, time.monotonic() + seconds
    inbox = contexts[1].inbox
    while time.monotonic() < end:
        rounds = [bytes(client.send(plain)) for _ in range(8)]
        began = time.process_time()
        for records in rounds:
            inbox[: len(records)] = records
            server.send(bytes(server.receive(len(records))))
        spent += time.process_time() - began
        count += len(rounds) * _ROUND
    return spent / count * 1e6


def with_sockets(directory: Path, seconds: float) -> float:
    """CPU microseconds per datagram of a TLS echo in a process of its own, on the relay's core."""
    authority = _authority(directory)
    context = client_context(str(authority.ca_file))
    ours, theirs = _loopback_pair()
    result, report = get_context("fork").Pipe(duplex=False)
    echo = get_context("fork").Process(target=_echo, args=(authority.issue(HOST), theirs, ours, report))
    echo.start()
    theirs.close()
    client = context.session(HOST)
    _deliver(context, client, b"")
    ours.sendall(client.outgoing())
    while not client.established:
        client.receive(ours.recv_into(context.inbox))
        ours.sendall(client.outgoing())
    drain = threading.Thread(target=_discard, args=(ours,))
    drain.start()
    plain = os.urandom(_AT_ONCE * _BATCH * DATAGRAM)
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        ours.sendall(client.send(plain))
        sent += _ROUND
    ours.shutdown(socket.SHUT_WR)
    spent = float(result.recv())
    drain.join()
    echo.join()
    ours.close()
    return spent / sent * 1e6


def _echo(
    certificate: tuple[Path, Path], sock: socket.socket, other_end: socket.socket, report: Connection
) -> None:
    other_end.close()
    pin(0, 1)
    context = server_context(*certificate)
    session = context.session()
    began = time.process_time()
    while count := sock.recv_into(context.inbox):
        plain = session.receive(count)
        sock.sendall(session.send(bytes(plain)) if len(plain) else session.outgoing())
    report.send(time.process_time() - began)
    sock.close()


def _discard(sock: socket.socket) -> None:
    buffer = bytearray(256 * 1024)
    while sock.recv_into(buffer):
        pass


def _authority(directory: Path) -> Authority:
    directory.mkdir(exist_ok=True)
    return Authority(directory)


def _contexts(directory: Path) -> tuple[TlsContext, TlsContext]:
    authority = _authority(directory)
    return client_context(str(authority.ca_file)), server_context(*authority.issue(HOST))


def _deliver(context: TlsContext, session: TlsSession, data: bytes) -> None:
    context.inbox[: len(data)] = data
    session.receive(len(data))


def _loopback_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(without_sockets(Path(name) / "a", 3.0), with_sockets(Path(name) / "b", 3.0))
