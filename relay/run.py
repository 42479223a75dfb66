"""One relay process from start to stop: listener, tokens, STUN beside it, and a polite end."""

import asyncio
import contextlib
import logging
import resource
import secrets
import signal
import socket
from multiprocessing import get_context

from relay import admin, stun
from relay.config import ANY_INTERFACE, RelayConfig
from relay.control import CutList, cuts_url, keep_cut
from relay.core import Limits, RelayCore
from relay.server import RelayServer
from relay.tls import HYBRID_GROUP, server_context
from relay.tokens import TokenVerifier, keep_loaded

logger = logging.getLogger("relay")


async def serve(config: RelayConfig) -> None:
    """Run a relay until SIGTERM or SIGINT."""
    raise_descriptor_limit()
    verifier = TokenVerifier(region=config.region)
    cuts = CutList(verifier)
    core = RelayCore(verify=cuts.verify, random=secrets.token_bytes, limits=Limits())
    tls = server_context(config.certificate, config.private_key, require_hybrid=config.require_hybrid)
    relay = RelayServer(core, tls)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    stunner = None
    if config.stun_port:
        stunner = get_context("spawn").Process(
            target=stun.serve, args=(config.listen, config.stun_port), daemon=True
        )
        stunner.start()
    relay.listen(bind(config.listen, config.port))
    tasks = [
        asyncio.create_task(relay.tick()),
        asyncio.create_task(keep_loaded(verifier, config.jwks, config.ca_file)),
    ]
    if config.admin_port:
        answering = admin.serve(
            config.admin_port, relay, healthy=lambda: not relay.leaving and verifier.key_count > 0
        )
        tasks.append(asyncio.create_task(answering))
    if url := cuts_url(config.jwks):
        tasks.append(
            asyncio.create_task(keep_cut(cuts, url, config.ca_file, lambda: relay.cut(cuts.refuses)))
        )
    logger.info(
        "relay listens region=%s port=%d require=%s",
        config.region,
        config.port,
        HYBRID_GROUP if config.require_hybrid else "-",
    )
    await stop.wait()
    logger.info("relay leaves clients=%d", core.clients)
    relay.stop_listening()
    await relay.leave()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if stunner is not None:
        stunner.terminate()
        stunner.join(2)


def bind(listen: str, port: int) -> list[socket.socket]:
    """Sockets for an address; the wildcard of IPv4 stands for that of IPv6 too."""
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
