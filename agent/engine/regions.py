"""Which relay region is home: the quickest, but not today this one and tomorrow that one.

A home that was lost is home again once it has been heard for STEADY_SECONDS, unless the one that took
over is clearly better.
"""

from collections.abc import Collection, Mapping

BETTER_RATIO = 0.8
BETTER_MS = 10.0
TWICE_RUNNING = 2
STEADY_SECONDS = 60.0


class HomeRegion:
    """Chooses from survey after survey. code is the last home, or None until one region answered."""

    def __init__(self, code: str | None = None) -> None:
        self.code = code
        self._rival: str | None = None
        self._wins = 0
        self._lost: str | None = None
        self._heard_since: float | None = None

    @property
    def waits(self) -> bool:
        """Whether a home that was lost may come back soon."""
        return self._lost is not None

    def survey(
        self,
        latencies_ms: Mapping[str, float],
        priorities: Mapping[str, int],
        avoid: Collection[str] = (),
        *,
        now: float,
    ) -> str | None:
        """The home after a survey at a time in seconds; priorities name the known regions, lower is
        preferred at a tie.

        avoid: regions whose relay failed; they serve only when there is no other.
        """
        self._listen(latencies_ms, priorities, now)
        before = self.code
        good = {code: priority for code, priority in priorities.items() if code not in avoid}
        chosen = self._choose(latencies_ms, good or priorities, now)
        if before is not None and before in priorities and chosen != before:
            # A region that another one beat is still heard, and not avoided.
            lost = before not in latencies_ms or before in avoid
            self._lost, self._heard_since = (before, None) if lost else (None, None)
        return chosen

    def _listen(self, latencies_ms: Mapping[str, float], priorities: Mapping[str, int], now: float) -> None:
        """Since when the lost home has been heard."""
        if self._lost not in priorities:
            self._lost = None
        if self._lost is None or self._lost not in latencies_ms:
            self._heard_since = None
        elif self._heard_since is None:
            self._heard_since = now

    def _choose(
        self, latencies_ms: Mapping[str, float], priorities: Mapping[str, int], now: float
    ) -> str | None:
        latencies_ms = {code: each for code, each in latencies_ms.items() if code in priorities}
        if self.code not in priorities:
            self.code = None
        if not latencies_ms:
            # UDP may be blocked: any region beats none, for relays speak TCP.
            if self.code is None and priorities:
                self.code = min(priorities, key=lambda code: (priorities[code], code))
            return self.code
        best = min(latencies_ms, key=lambda code: (round(latencies_ms[code]), priorities.get(code, 0), code))
        if self.code is None or self.code not in latencies_ms:
            self.code, self._wins = best, 0
            return self.code
        mine = latencies_ms[self.code]
        if self._lost is not None and self._lost in latencies_ms and self._steady(now):
            back, self._lost = self._lost, None
            if not _clearly_better(mine, latencies_ms[back]):
                self.code, self._wins = back, 0
                return self.code
        if _clearly_better(latencies_ms[best], mine):
            self._wins = self._wins + 1 if best == self._rival else 1
            self._rival = best
            if self._wins >= TWICE_RUNNING:
                self.code, self._wins = best, 0
        else:
            self._wins = 0
        return self.code

    def _steady(self, now: float) -> bool:
        return self._heard_since is not None and now - self._heard_since >= STEADY_SECONDS


def _clearly_better(latency_ms: float, than_ms: float) -> bool:
    return latency_ms < than_ms * BETTER_RATIO and than_ms - latency_ms > BETTER_MS
