"""Keeps one UDP mapping at the default gateway: asked for, renewed, given back."""

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable
from ipaddress import AddressValueError, IPv4Address

import httpx

from agent.portmap import gateway, natpmp, pcp, upnp
from agent.portmap.mapping import LIFETIME_SECONDS, Mapping, PortMapError
from wire.binary import Endpoint

logger = logging.getLogger("agent.portmap")

# Far within any lifetime: a router that restarted has forgotten us.
RENEW_SECONDS = 300.0
RETRY_SECONDS = 600.0
GIVE_BACK_SECONDS = 1.0
_UPNP_TIMEOUT_SECONDS = 3.0
_CONFLICTS = 3
_FREE_PORTS = (20000, 60000)


class PortMapper:
    """run() until cancelled; `changed` is told whenever `mapping` came, moved or went."""

    def __init__(self, *, port: int, mark: int | None, changed: Callable[[], None]) -> None:
        self._port, self._mark, self._changed = port, mark, changed
        self._nonce = os.urandom(pcp.NONCE_BYTES)
        self._wake = asyncio.Event()
        self._give_back: Callable[[], Awaitable[None]] | None = None
        self._gateway: str | None = None
        self.mapping: Mapping | None = None

    def network_changed(self) -> None:
        """There may be another gateway."""
        self._wake.set()

    async def run(self) -> None:
        """Keep the mapping until cancelled, then give it back."""
        try:
            while True:
                self._wake.clear()
                await self._round()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._wake.wait()
        finally:
            if self._give_back is not None:
                with contextlib.suppress(PortMapError, TimeoutError, OSError):
                    async with asyncio.timeout(GIVE_BACK_SECONDS):
                        await self._give_back()

    def _pause(self) -> float:
        if self.mapping is None:
            return RETRY_SECONDS
        lifetime = self.mapping.lifetime or LIFETIME_SECONDS
        return min(RENEW_SECONDS, lifetime / 2)

    async def _round(self) -> None:
        found = gateway.default_gateway()
        address = found[0] if found else None
        before = self.mapping
        if address != self._gateway:
            # What another gateway granted cannot be reached from here any more.
            self._gateway, self.mapping, self._give_back = address, None, None
        try:
            self.mapping = await self._obtain(address) if address else None
        except (PortMapError, OSError) as error:
            logger.debug("no port mapping: %s", error)
            self.mapping = self._give_back = None
        if (before and before.external) != (self.mapping and self.mapping.external):
            if self.mapping:
                logger.info("port mapped by=%s to=%s", self.mapping.protocol, self.mapping.external)
            self._changed()

    async def _obtain(self, address: str) -> Mapping:
        """Ask in every protocol at once; PCP is preferred to NAT-PMP, and that to UPnP."""
        with gateway.udp_socket(address, self._mark) as probe:
            client = str(probe.getsockname()[0])
        if client == address:
            raise PortMapError("this machine is the gateway")
        by_pcp = asyncio.create_task(self._pcp(address, client))
        by_natpmp = asyncio.create_task(self._natpmp_address(address))
        by_upnp = asyncio.create_task(gateway.search(address, client, self._mark))
        try:
            with contextlib.suppress(PortMapError):
                return _usable(await by_pcp)
            with contextlib.suppress(PortMapError):
                return _usable(await self._natpmp(address, await by_natpmp))
            return _usable(await self._upnp(address, client, await by_upnp))
        finally:
            for attempt in (by_pcp, by_natpmp, by_upnp):
                attempt.cancel()
            await asyncio.gather(by_pcp, by_natpmp, by_upnp, return_exceptions=True)

    def _wanted(self) -> Endpoint | None:
        """The external address we had: a peer may still be using it."""
        return self.mapping.external if self.mapping else None

    async def _pcp(self, address: str, client: str) -> Mapping:
        mapping = await self._pcp_map(address, client, LIFETIME_SECONDS)

        async def give_back() -> None:
            await self._pcp_map(address, client, 0)

        self._give_back = give_back
        return mapping

    async def _pcp_map(self, address: str, client: str, lifetime: int) -> Mapping:
        packet = pcp.map_request(
            client=client, nonce=self._nonce, internal=self._port, wanted=self._wanted(), lifetime=lifetime
        )
        with gateway.udp_socket(address, self._mark) as own:
            return await gateway.ask(
                own, packet, lambda data: pcp.parse_mapped(data, nonce=self._nonce, internal=self._port)
            )

    async def _natpmp_address(self, address: str) -> IPv4Address:
        with gateway.udp_socket(address, self._mark) as own:
            return await gateway.ask(own, natpmp.ADDRESS_REQUEST, natpmp.parse_address)

    async def _natpmp(self, address: str, external: IPv4Address) -> Mapping:
        wanted = self._wanted()
        port, lifetime = await self._natpmp_map(
            address, wanted.port if wanted else self._port, LIFETIME_SECONDS
        )

        async def give_back() -> None:
            await self._natpmp_map(address, 0, 0)

        self._give_back = give_back
        return Mapping("nat-pmp", Endpoint(str(external), port), lifetime)

    async def _natpmp_map(self, address: str, external: int, lifetime: int) -> tuple[int, int]:
        packet = natpmp.map_request(self._port, external, lifetime)
        with gateway.udp_socket(address, self._mark) as own:
            return await gateway.ask(own, packet, lambda data: natpmp.parse_mapped(data, self._port))

    async def _upnp(self, address: str, client: str, url: str) -> Mapping:
        async with self._http(client) as http:
            igd = await upnp.Igd.describe(http, url, address)
            external = await igd.external_address()
            port, lifetime = await self._upnp_add(igd, client)

        async def give_back() -> None:
            async with self._http(client) as http:
                await (await upnp.Igd.describe(http, url, address)).delete(port)

        self._give_back = give_back
        return Mapping("upnp", Endpoint(external, port), lifetime)

    async def _upnp_add(self, igd: upnp.Igd, client: str) -> tuple[int, int]:
        """(external port, lifetime): another port when ours is taken, no lifetime where none is possible."""
        wanted = self._wanted()
        port, lifetime = wanted.port if wanted else self._port, LIFETIME_SECONDS
        for _ in range(_CONFLICTS):
            try:
                await igd.add(client=client, internal=self._port, external=port, lifetime=lifetime)
                return port, lifetime
            except upnp.SoapFault as fault:
                if fault.code == upnp.CONFLICT:
                    port = random.randrange(*_FREE_PORTS)  # noqa: S311 - no secret
                elif fault.code == upnp.ONLY_PERMANENT:
                    lifetime = 0
                else:
                    raise
        raise PortMapError("every port tried is taken")

    def _http(self, client: str) -> httpx.AsyncClient:
        options = [(socket.SOL_SOCKET, socket.SO_MARK, self._mark)] if self._mark is not None else []
        transport = httpx.AsyncHTTPTransport(local_address=client, socket_options=options)
        return httpx.AsyncClient(transport=transport, timeout=_UPNP_TIMEOUT_SECONDS, trust_env=False)


def _usable(mapping: Mapping) -> Mapping:
    """A router without internet grants mappings of no address."""
    try:
        address = IPv4Address(mapping.external.host)
    except AddressValueError:
        raise PortMapError("its external address is no IPv4 address") from None
    if address.is_unspecified or address.is_loopback or address.is_multicast or not mapping.external.port:
        raise PortMapError(f"its external address is {mapping.external}")
    return mapping
