"""How much a client, and all clients of an organisation together, may send."""

from dataclasses import dataclass, field
from typing import Final

# What may come at once before a rate counts.
BURST_SECONDS: Final = 0.25


@dataclass(slots=True)
class Rates:
    """Bytes per second, 0 for no bound. GCRA (ITU-T I.371) with a burst of BURST_SECONDS."""

    client: int
    organisation: int
    # Until when clients (by number) and organisations have sent what their rates allow.
    _paid_until: dict[int | str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.client or self.organisation)

    def charge(self, client: int, organisation: str, size: int, now: float) -> float:
        """Count bytes that a client sent; for so many seconds its reader is to rest."""
        rest = 0.0
        for payer, rate in ((client, self.client), (organisation, self.organisation)):
            if rate:
                paid = max(self._paid_until.get(payer, 0.0), now) + size / rate
                self._paid_until[payer] = paid
                rest = max(rest, paid - now - BURST_SECONDS)
        return rest

    def forget(self, now: float) -> None:
        """Who owes nothing is as good as new."""
        self._paid_until = {payer: until for payer, until in self._paid_until.items() if until > now}
