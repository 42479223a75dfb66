"""MagicDNS, loaded beside the network's start: its library costs more than a relayed pair needs to meet."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent.io.journal import Journal
from wire.netmap import Netmap

if TYPE_CHECKING:
    from agent.host.magicdns import MagicDns

_OFF: dict[str, Any] = {
    **dict.fromkeys(("installed", "address", "problem", "filter_version", "counters")),
    "running": False,
    "upstreams": [],
}


class Names:
    """Stands for MagicDns, and remembers the last order until there is one. A host without never has it."""

    def __init__(self, journal: Journal, interface: str, mark: int, marked: Callable[[str], bool]) -> None:
        self._journal, self._interface, self._mark, self._marked = journal, interface, mark, marked
        self._order: tuple[Netmap | None, tuple[str, ...]] = (None, ())
        self._wanted = asyncio.Event()
        self._loaded: MagicDns | None = None

    @property
    def problem(self) -> str | None:
        """Why names do not work, if they should."""
        return self._loaded.problem if self._loaded else None

    def apply(self, netmap: Netmap | None, search: tuple[str, ...] = ()) -> None:
        """Names from this map; None switches MagicDNS off."""
        self._order = netmap, search
        if self._loaded is not None:
            self._loaded.apply(netmap, search)
        elif netmap is not None:
            self._wanted.set()

    async def run(self) -> None:
        """Load it when it is wanted, and keep the host in step from then on."""
        await self._wanted.wait()
        await asyncio.to_thread(importlib.import_module, "agent.host.magicdns")
        from agent.host.magicdns import MagicDns
        from agent.host.upstream import Upstreams

        upstreams = Upstreams(mark=self._mark, marked=self._marked)
        self._loaded = MagicDns(self._journal, self._interface, upstreams)
        self._loaded.apply(*self._order)
        await self._loaded.run()

    def forget(self) -> None:
        """The interface went, and our address with it: start anew with the next one."""
        if self._loaded is not None:
            self._loaded.forget()

    async def close(self) -> None:
        """Stop; the host gets its own resolvers back first."""
        if self._loaded is not None:
            await self._loaded.close()

    def status(self) -> dict[str, Any]:
        """What `ztna dns status` shows of this host; see `MagicDns.status`."""
        return self._loaded.status() if self._loaded else dict(_OFF)

    async def resolve(self, name: str, kind: str) -> dict[str, Any] | None:
        """One name by our own resolver; None while it is off. See `MagicDns.resolve`."""
        return await self._loaded.resolve(name, kind) if self._loaded else None
