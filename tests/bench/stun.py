"""`./dev bench stun`: our STUN server and coturn, one process on one core each, under the same load.

Rounds alternate between the two. The load is a window of requests from each of 16 ports; every answer is
checked: its transaction, and the mapped address against the port that asked. The figure is CPU (user and
system, all threads) per request that was answered; the ratio is coturn's over ours.
"""

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relay.batchio import BATCH, NAME_BYTES, SLOT_BYTES, BatchSocket
from tests.bench.measure import cpu_seconds, finish, pin, progress
from wire import stun
from wire.binary import Endpoint

HOST = "127.0.0.1"
PORTS = 16
REQUEST_BYTES = len(stun.binding_request(bytes(12)))
ROUNDS, SECONDS = 7, 2.0
# The limit for one source would end the measurement.
SERVE = "from relay import stun; stun.serve({host!r}, {port}, per_second=10**9)"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Server:
    """A running STUN server."""

    name: str
    pid: int
    port: int


@contextlib.contextmanager
def running(name: str, command: list[str], port: int) -> Iterator[Server]:
    """A server on the second core, once it answers."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=lambda: pin(0, 1)
    )
    try:
        for _ in range(100):
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with status {process.returncode}")
            if _answers(port):
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{name} does not answer")
        yield Server(name, process.pid, port)
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.settimeout(0.2)
        sock.sendto(stun.binding_request(os.urandom(12)), (HOST, port))
        return bool(sock.recv(1500))
    return False


class Asker:
    """One port that keeps a window of requests on their way, many a system call."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._io = BatchSocket(self._socket, REQUEST_BYTES)
        self._txids = set()
        place = struct.pack("=H", socket.AF_INET) + server.port.to_bytes(2, "big") + socket.inet_aton(HOST)
        for slot in range(BATCH):
            request = stun.binding_request(os.urandom(12))
            self._txids.add(request[8:20])
            self._io.outbox[slot * SLOT_BYTES : slot * SLOT_BYTES + len(request)] = request
            self._io.names[slot * NAME_BYTES : slot * NAME_BYTES + len(place)] = place
        # XOR-MAPPED-ADDRESS of IPv4 is masked by the cookie alone: one for all requests of this port.
        source = Endpoint(*self._socket.getsockname())
        self._mapped = stun.binding_success(bytes(12), source)[20:32]
        self.answered = self.wrong = 0

    def ask(self, count: int = BATCH) -> None:
        """Send so many requests of the window."""
        self._io.send(list(range(count)))

    def hear(self) -> int:
        """Take what came and ask as often again."""
        inbox = self._io.inbox
        sizes = self._io.receive()
        for slot, size in enumerate(sizes):
            at = slot * SLOT_BYTES
            answer = bytes(inbox[at : at + size])
            if answer[8:20] in self._txids and self._mapped in answer:
                self.answered += 1
            else:
                self.wrong += 1
        self.ask(len(sizes))
        return len(sizes)

    def quiet(self) -> None:
        """Throw away what is still on its way."""
        while self._io.receive():
            pass
        self.answered = 0

    def close(self) -> None:
        """Done."""
        self._socket.close()


def round_of(server: Server, askers: list[Asker]) -> tuple[float, float]:
    """(CPU microseconds per request, requests per second)."""
    for asker in askers:
        asker.quiet()
        asker.ask()
    began, spent = time.monotonic(), cpu_seconds(server.pid)
    heard_at = began
    while (now := time.monotonic()) - began < SECONDS:
        if sum(asker.hear() for asker in askers):
            heard_at = now
        elif now - heard_at > 0.2:  # a lost datagram shrinks a window; all of them lost ends it
            for asker in askers:
                asker.ask()
            heard_at = now
    elapsed = time.monotonic() - began
    answered = sum(asker.answered for asker in askers)
    return (cpu_seconds(server.pid) - spent) / answered * 1e6, answered / elapsed


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench stun", description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is always JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if shutil.which("turnserver") is None:
        raise SystemExit("coturn is not here: apt-get install coturn")
    pin(0, 0)
    ports = []
    for _ in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST, 0))
            ports.append(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        ours = [sys.executable, "-c", SERVE.format(host=HOST, port=ports[0])]
        theirs = [
            *("turnserver", "-n", "--stun-only", "--listening-ip", HOST, "--listening-port", str(ports[1])),
            *("--relay-threads", "1", "--no-tls", "--no-dtls", "--no-cli", "--no-rfc5780", "--no-tcp"),
            *("--log-file", f"{name}/log", "--pidfile", f"{name}/pid", "--userdb", f"{name}/db"),
        ]
        servers = [
            stack.enter_context(running("ours", ours, ports[0])),
            stack.enter_context(running("coturn", theirs, ports[1])),
        ]
        askers = {server.name: [Asker(server) for _ in range(PORTS)] for server in servers}
        costs: dict[str, list[float]] = {server.name: [] for server in servers}
        rates: dict[str, list[float]] = {server.name: [] for server in servers}
        for number in range(options.rounds):
            for server in servers if number % 2 else servers[::-1]:
                cost, rate = round_of(server, askers[server.name])
                costs[server.name].append(cost)
                rates[server.name].append(rate)
            progress(f"ours {costs['ours'][-1]:.2f}, coturn {costs['coturn'][-1]:.2f} us a request")
        everybody = [asker for mine in askers.values() for asker in mine]
        wrong = sum(asker.wrong for asker in everybody)
        for asker in everybody:
            asker.close()
    figures = {
        "us_per_request": round(statistics.median(costs["ours"]), 2),
        "coturn_us_per_request": round(statistics.median(costs["coturn"]), 2),
        "requests_per_second": round(statistics.median(rates["ours"])),
        "coturn_requests_per_second": round(statistics.median(rates["coturn"])),
        "wrong_answers": wrong,
    }
    pairs = zip(costs["coturn"], costs["ours"], strict=True)
    ratios = {"vs_coturn": round(statistics.median(coturn / ours for coturn, ours in pairs), 3)}
    finish("stun", figures, ratios)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
