"""Our own addresses: those of our interfaces, and those that STUN servers see us at."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agent.engine.regions import HomeRegion
from agent.io.stun import Reflection, StunClient
from wire.binary import Endpoint
from wire.netmap import MAX_ENDPOINTS, RelayRegion

logger = logging.getLogger("agent.discovery")

# Often enough to keep a NAT's mapping of our port alive (RFC 4787: 30 s in the worst NATs).
UNPROVEN_SECONDS = 25.0
PROVEN_SECONDS = 300.0
# Nobody answered: on a lossy line the next survey may well be heard; where UDP is blocked, ever later.
UNHEARD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Findings:
    """One survey. mapping_varies: the NAT gives each destination another mapping; None unknown."""

    endpoints: tuple[Endpoint, ...] = ()
    home: str | None = None
    latencies_ms: dict[str, float] = field(default_factory=dict)
    mapping_varies: bool | None = None
    udp: bool = False


class Discovery:
    """Surveys at start, when asked, and periodically; tells `found` of every survey.

    home is the region of the last time: it serves until a survey finds a better one.
    """

    def __init__(
        self,
        *,
        stun: StunClient,
        port: int,
        local_addresses: Callable[[], list[str]],
        regions: Callable[[], Sequence[RelayRegion]],
        proven: Callable[[], bool],
        mapped: Callable[[], Endpoint | None],
        found: Callable[[Findings], None],
        avoided: Callable[[], set[str]] = set,
        home: str | None = None,
    ) -> None:
        self._stun, self._port, self._local_addresses = stun, port, local_addresses
        self._regions, self._proven, self._found = regions, proven, found
        self._mapped, self._avoided = mapped, avoided
        self._reflections: list[Reflection] = []
        self._home = HomeRegion(home)
        self._impatient = True
        self._wake = asyncio.Event()
        self.latest = Findings(home=home)

    def port_mapped(self) -> None:
        """The port mapping came, moved or went: told at once, STUN is not asked again."""
        self.latest = replace(self.latest, endpoints=self._endpoints())
        self._found(self.latest)

    def survey_now(self) -> None:
        """The network or the relay map changed: the first answers are told without the last ones."""
        self._impatient = True
        self._wake.set()

    async def run(self) -> None:
        """Survey until cancelled."""
        unheard = UNHEARD_SECONDS
        while True:
            self._wake.clear()
            try:
                self.latest = await self._survey()
                self._found(self.latest)
            except OSError as error:
                logger.warning("survey of addresses failed: %s", error)
            pause = PROVEN_SECONDS if self._proven() and not self._home.waits else UNPROVEN_SECONDS
            if self._reflections or not self._regions():
                unheard = UNHEARD_SECONDS
            else:
                pause, unheard = min(pause, unheard), unheard * 2
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _survey(self) -> Findings:
        regions = self._regions()
        if self.latest.home is None and len(regions) == 1:
            self.latest = replace(self.latest, home=regions[0].region_code)
            self._found(self.latest)
        self._reflections = await self._stun.survey(regions, self._early)
        self._impatient = False
        logger.debug("survey: %d answers of %d regions", len(self._reflections), len(regions))
        return self._findings(regions)

    def _early(self, reflections: list[Reflection]) -> None:
        if self._impatient:
            self._reflections = reflections
            regions = self._regions()
            good = {region.region_code for region in regions} - self._avoided()
            self.latest = self._findings(regions, home=self._home.code if self._home.code in good else None)
            self._found(self.latest)

    def _findings(self, regions: Sequence[RelayRegion], home: str | None = None) -> Findings:
        """home: the region to stay with, whatever was measured."""
        reflections = self._reflections
        latencies: dict[str, float] = {}
        for reflection in reflections:
            known = latencies.get(reflection.region, reflection.latency_ms)
            latencies[reflection.region] = round(min(known, reflection.latency_ms), 2)
        priorities = {region.region_code: region.priority for region in regions}
        return Findings(
            endpoints=self._endpoints(),
            home=home
            or self._home.survey(
                latencies, priorities, self._avoided(), now=asyncio.get_running_loop().time()
            ),
            latencies_ms=latencies,
            mapping_varies=_varies(reflections),
            udp=bool(reflections),
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        """The mapped port first, for it is the one that a stranger can reach."""
        mapped = self._mapped()
        local = [Endpoint(address, self._port) for address in self._local_addresses()]
        seen = (reflection.mapped for reflection in self._reflections)
        return tuple(dict.fromkeys((*([mapped] if mapped else []), *local, *seen)))[:MAX_ENDPOINTS]


def _varies(reflections: Sequence[Reflection]) -> bool | None:
    """Whether IPv4 servers saw us at different addresses; one server alone can't tell."""
    seen = [reflection.mapped for reflection in reflections if ":" not in reflection.mapped.host]
    return len(set(seen)) > 1 if len(seen) > 1 else None
