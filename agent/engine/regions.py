"""Which relay region is home: the quickest, but not today this one and tomorrow that one."""

from collections.abc import Collection, Mapping

BETTER_RATIO = 0.8
BETTER_MS = 10.0
TWICE_RUNNING = 2


class HomeRegion:
    """Chooses from survey after survey. code is the last home, or None until one region answered."""

    def __init__(self, code: str | None = None) -> None:
        self.code = code
        self._rival: str | None = None
        self._wins = 0

    def survey(
        self, latencies_ms: Mapping[str, float], priorities: Mapping[str, int], avoid: Collection[str] = ()
    ) -> str | None:
        """The home after a survey; priorities name the known regions, lower is preferred at a tie.

        avoid: regions whose relay failed; they serve only when there is no other.
        """
        good = {code: priority for code, priority in priorities.items() if code not in avoid}
        priorities = good or priorities
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
        mine, other = latencies_ms[self.code], latencies_ms[best]
        if other < mine * BETTER_RATIO and mine - other > BETTER_MS:
            self._wins = self._wins + 1 if best == self._rival else 1
            self._rival = best
            if self._wins >= TWICE_RUNNING:
                self.code, self._wins = best, 0
        else:
            self._wins = 0
        return self.code
