"""Moving house: peers are told of another home region only once its relay works for us.

1. The first home is taken as it is: nobody can lose it yet.
2. Another region becomes home when its link is proven. Until then the old one is announced, however
   long that takes: a region that turns out dead changes nothing.
3. The old link stays until the control plane has taken the new home and LINGER_SECONDS longer: peers
   must hear of it and dial, and packets that are under way must arrive.
"""

import math

LINGER_SECONDS = 10.0


class Home:
    """code is the region that peers are told, wanted the one to move to; the same unless we move."""

    def __init__(self) -> None:
        self.code: str | None = None
        self.wanted: str | None = None
        self._left: dict[str, float] = {}

    def want(self, code: str | None) -> None:
        """Make a region our home; None when there is no region at all."""
        self.wanted = code
        if code is None or self.code is None:
            self.code = code
            self._left.clear()

    def proven(self, code: str) -> bool:
        """A region's link carries frames both ways; whether that made it our home."""
        if code != self.wanted or code == self.code or self.code is None:
            return False
        self._left[self.code] = math.inf
        self._left.pop(code, None)
        self.code = code
        return True

    def told(self, code: str | None, now: float) -> None:
        """The control plane has taken this region as our home."""
        if code is not None and code == self.code:
            until = now + LINGER_SECONDS
            self._left = {left: min(each, until) for left, each in self._left.items()}

    def kept(self, now: float) -> set[str]:
        """Regions where peers may still send to us, or soon will."""
        self._left = {left: until for left, until in self._left.items() if until > now}
        return {code for code in (self.code, self.wanted, *self._left) if code is not None}

    def next_timeout(self) -> float:
        """When kept() shrinks by itself."""
        return min(self._left.values(), default=math.inf)
