"""MagicDNS on this host: the resolver runs and the host asks it, or neither."""

import asyncio
import logging
from typing import Any

import dns.exception

from agent.engine.zone import RESOLVER, reverse_domains
from agent.errors import AgentError
from agent.host.lookup import lookup
from agent.host.nameservice import NameService, Wanted, pick
from agent.host.program import run
from agent.host.resolver import Resolver
from agent.host.upstream import DEFAULT, Nameserver, Upstreams, parse_all
from agent.io.journal import Journal
from wire.netmap import Netmap

logger = logging.getLogger("agent.dns")

CHECK_SECONDS = 2.0


class MagicDns:
    """apply() says what is wanted; run() brings it about, and again whenever others change it."""

    def __init__(self, journal: Journal, interface: str, upstreams: Upstreams) -> None:
        self._journal, self._interface, self._upstreams = journal, interface, upstreams
        self._netmap: Netmap | None = None
        self._extra_search: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._service: NameService | None = None
        self._installed: Wanted | None = None
        self._resolver: Resolver | None = None
        self._stale = False
        self.problem: str | None = None

    def apply(self, netmap: Netmap | None, search: tuple[str, ...] = ()) -> None:
        """Names from this map; None switches MagicDNS off."""
        self._netmap, self._extra_search = netmap, search
        if netmap is not None and self._resolver is not None:
            # Names follow the map at once, whatever the host's configuration takes.
            self._resolver.configure(netmap, self._servers(netmap))
        self._changed.set()

    async def run(self) -> None:
        """Keep the host in step."""
        while True:
            self._changed.clear()
            try:
                await self._settle()
                self._complain(None)
            except OSError as error:
                self._complain(str(error))
            try:
                await asyncio.wait_for(self._changed.wait(), CHECK_SECONDS)
            except TimeoutError:
                continue

    def forget(self) -> None:
        """The interface went, and our address with it: start anew with the next one."""
        self._installed = self._service = None
        self._stale = True
        self._changed.set()

    async def close(self) -> None:
        """Stop; the host gets its own resolvers back first."""
        self._restore()
        await self._stop_resolver()
        self._upstreams.close()

    def status(self) -> dict[str, Any]:
        """What `ztna dns status` shows of this host."""
        resolver = self._resolver
        return {
            "running": resolver is not None,
            "installed": self._service.name if self._service and self._installed else None,
            "address": f"{RESOLVER}:53",
            "problem": self.problem,
            "upstreams": [str(server) for server in resolver.servers] if resolver else [],
            "filter_version": resolver.blocklist.version if resolver else None,
            "counters": vars(resolver.counters) if resolver else None,
        }

    async def resolve(self, name: str, kind: str) -> dict[str, Any] | None:
        """One name by our own resolver: {name, fqdn, type, addresses, source, ttl}; None while it is off."""
        resolver, netmap = self._resolver, self._netmap
        if resolver is None or netmap is None or netmap.dns is None:
            return None
        try:
            return await lookup(resolver, name, kind, netmap.dns.domain)
        except dns.exception.DNSException as error:
            raise AgentError("INVALID_INPUT", f"cannot ask for {name!r} {kind}: {error}") from None

    async def _settle(self) -> None:
        netmap = self._netmap
        if self._stale:
            self._stale = False
            await self._stop_resolver()
        if netmap is None or netmap.dns is None:
            self._restore()
            await self._stop_resolver()
            return
        if self._resolver is None:
            await self._start_resolver(netmap)
        self._install(netmap)

    async def _start_resolver(self, netmap: Netmap) -> None:
        # Of host scope, so that it is never the source of what we send to peers.
        run("ip", "address", "replace", f"{RESOLVER}/32", "dev", self._interface, "scope", "host")
        resolver = Resolver(self._upstreams)
        resolver.configure(netmap, self._servers(netmap))
        try:
            await resolver.start(RESOLVER)
        except OSError as error:
            raise OSError(f"MagicDNS is off: another program owns {RESOLVER}:53 ({error.strerror})") from None
        self._resolver = resolver

    def _install(self, netmap: Netmap) -> None:
        assert netmap.dns
        search = tuple(dict.fromkeys((*self._extra_search, netmap.dns.domain, *netmap.dns.search_domains)))
        routed = (*netmap.dns.split, *reverse_domains(netmap.self_node.tailnet_ipv6))
        wanted = Wanted(self._interface, search, routed, everything=netmap.dns.override_local_dns)
        if self._installed == wanted and self._service and self._service.intact():
            return
        if self._installed == wanted:
            logger.warning("the host's resolver was changed by another program; it is set again")
        if self._service is None:
            self._service = pick(self._journal)
        self._service.install(wanted)
        if self._installed is None:
            logger.info("MagicDNS is on by way of %s", self._service.name)
        self._installed = wanted
        if self._resolver:
            self._resolver.configure(netmap, self._servers(netmap))

    def _servers(self, netmap: Netmap) -> tuple[Nameserver, ...]:
        """The organisation's, or the host's own where they may stay, or the default."""
        assert netmap.dns
        chosen = parse_all(netmap.dns.nameservers)
        if not chosen and not netmap.dns.override_local_dns and self._service:
            chosen = parse_all(server for server in self._service.servers() if server != RESOLVER)
        return chosen or DEFAULT

    def _restore(self) -> None:
        if self._service is not None and self._installed is not None:
            self._service.remove()
            logger.info("MagicDNS is off; the host's own resolvers are back")
        self._service = self._installed = None

    async def _stop_resolver(self) -> None:
        if self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    def _complain(self, problem: str | None) -> None:
        if problem != self.problem and problem is not None:
            logger.warning("%s", problem)
        self.problem = problem
