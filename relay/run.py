"""A relay from start to stop: its workers, tokens, STUN beside them, and a polite end."""

import asyncio
import contextlib
import logging
import os
import resource
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import uvloop

from relay import admin, stun
from relay.config import ANY_INTERFACE, RelayConfig
from relay.control import CutList, cuts_url, keep_cut
from relay.core import Limits, RelayCore
from relay.links import Links, LocalPlace, Place
from relay.mesh import own_place, places_before
from relay.reporting import keep_reporting, report_url
from relay.server import RelayServer
from relay.tls import HYBRID_GROUP, TlsUnavailable, server_context
from relay.tokens import TokenVerifier, keep_loaded

logger = logging.getLogger("relay")

# A worker that ended is started again after this pause.
RESPAWN_SECONDS: Final = 1.0
BYTES_PER_MBIT: Final = 125_000


def run(config: RelayConfig) -> None:
    """Serve until SIGTERM or SIGINT. OSError or TlsUnavailable when that cannot be."""
    raise_descriptor_limit()
    sockets = bind(config.listen, config.port)
    # Refused here rather than in every worker.
    server_context(config.certificate, config.private_key, require_hybrid=config.require_hybrid)
    stunners = [
        get_context("spawn").Process(target=stun.serve, args=(config.listen, config.stun_port), daemon=True)
        for _ in range(config.stun_workers if config.stun_port else 0)
    ]
    for stunner in stunners:
        stunner.start()
    try:
        if config.workers == 1:
            uvloop.run(serve(config, sockets))
        else:
            _supervise(config, sockets)
    finally:
        for stunner in stunners:
            stunner.terminate()
        for stunner in stunners:
            stunner.join(2)


@dataclass(frozen=True, slots=True)
class Mates:
    """What joins a worker to the others: the directory of their Unix sockets, and the read end of a
    pipe that ends with the process above them.
    """

    links: Path
    parent: int


async def serve(
    config: RelayConfig, sockets: Sequence[socket.socket], number: int = 0, mates: Mates | None = None
) -> None:
    """One worker, by itself without mates.

    SIGTERM lets its clients move to other workers and relays first, SIGINT does not wait for that.
    """
    verifier = TokenVerifier(region=config.region)
    cuts = CutList(verifier)
    limits = Limits(
        client_rate=config.client_mbit * BYTES_PER_MBIT,
        organisation_rate=config.organisation_mbit * BYTES_PER_MBIT,
    )
    core = RelayCore(verify=cuts.verify, random=secrets.token_bytes, limits=limits)
    tls = server_context(config.certificate, config.private_key, require_hybrid=config.require_hybrid)
    relay = RelayServer(core, tls)
    stop, hurry = asyncio.Event(), asyncio.Event()

    def interrupted() -> None:
        stop.set()
        hurry.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    jobs = [relay.tick(), keep_loaded(verifier, config.jwks, config.ca_file)]
    if url := cuts_url(config.jwks):
        jobs.append(keep_cut(cuts, url, config.ca_file, lambda: relay.cut(cuts.refuses)))
    if config.report_token_file is not None:
        jobs.append(
            keep_reporting(
                relay,
                region=config.region,
                url=report_url(config.jwks),
                key_file=config.report_token_file,
                ca_file=config.ca_file,
            )
        )
    own: list[Place] = []
    before: list[Place] = []
    if mates is not None:
        own.append(LocalPlace(mates.links, number))
        before += [LocalPlace(mates.links, other) for other in range(number)]
        # Nothing is ever written: readable means that nobody is left to restart us or to end us.
        loop.add_reader(mates.parent, interrupted)
    if config.mesh is not None:
        own.append(own_place(config.mesh, number))
        before += places_before(config.mesh, config.workers)
    links = Links(relay, own, before) if own else None
    if links is not None:
        core.mesh = links
        jobs.append(links.run())
    if config.admin_port:
        jobs.append(
            admin.serve(
                config.admin_port + number,
                relay,
                healthy=lambda: relay.listening and not relay.leaving and verifier.key_count > 0,
            )
        )
    broken: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a port that is taken, say: half a relay is worse than none
            logger.error("relay cannot go on worker=%d: %s", number, error or type(error).__name__)
            broken.append(error)
            interrupted()

    tasks = [asyncio.create_task(job) for job in jobs]
    for task in tasks:
        task.add_done_callback(ended)
    if links is not None:  # a client that comes before them would not find those who are there
        others = config.workers if mates is not None else 1
        await links.joined(others * (len(config.mesh.places) if config.mesh else 1) - 1)
    relay.listen(sockets)
    logger.info(
        "relay listens region=%s port=%d worker=%d require=%s",
        config.region,
        config.port,
        number,
        HYBRID_GROUP if config.require_hybrid else "-",
    )
    await stop.wait()
    if mates is not None:
        loop.remove_reader(mates.parent)
    logger.info("relay leaves worker=%d clients=%d", number, core.clients)
    relay.stop_listening()
    await relay.leave(hurry if own else None)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if broken:
        raise SystemExit(1)


def bind(listen: str, port: int) -> list[socket.socket]:
    """Listening sockets for an address; the wildcard of IPv4 stands for that of IPv6 too."""
    hosts = [(socket.AF_INET6 if ":" in listen else socket.AF_INET, listen)]
    if listen == ANY_INTERFACE and socket.has_dualstack_ipv6():
        hosts.append((socket.AF_INET6, "::"))
    sockets = []
    for family, host in hosts:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sockets.append(sock)
    return sockets


def raise_descriptor_limit() -> None:
    """One descriptor a client: take as many as the system allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _supervise(config: RelayConfig, sockets: Sequence[socket.socket]) -> None:
    """Keep all workers running until told to stop; each of them accepts on the same sockets."""
    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        for sock in sockets:  # who comes now is to go to another relay, not to wait in our backlog
            sock.close()
        polite = signal.SIGTERM if config.mesh and number == signal.SIGTERM else signal.SIGINT
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, polite)

    workers: dict[int, int] = {}
    alive = os.pipe()
    # The directory is this user's alone, so whoever connects in it is a worker.
    with tempfile.TemporaryDirectory(prefix="quickztna-relay-") as links:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, stop)
        for number in range(config.workers):
            workers[_spawn(config, sockets, number, Path(links), alive)] = number
        while workers:
            pid, status = os.wait()
            ended = workers.pop(pid, None)
            if ended is None or stopping:
                continue
            logger.error("worker ended worker=%d status=%d", ended, os.waitstatus_to_exitcode(status))
            time.sleep(RESPAWN_SECONDS)
            if not stopping:
                workers[_spawn(config, sockets, ended, Path(links), alive)] = ended


def _spawn(
    config: RelayConfig, sockets: Sequence[socket.socket], number: int, links: Path, alive: tuple[int, int]
) -> int:
    """Fork a worker; its pid. No event loop and no thread runs in the parent."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        os.close(alive[1])
        (links / f"{number}.sock").unlink(missing_ok=True)
        uvloop.run(serve(config, sockets, number, Mates(links, alive[0])))
        status = 0
    except (OSError, TlsUnavailable) as error:
        print(f"relay: worker {number}: {error}", file=sys.stderr)
    finally:
        logging.shutdown()
        os._exit(status)
