"""The keys of one pair that must outlive a restart.

`previous` stays for one step, for a peer that restarted without the newest key; `pending` is the
initiator's: a key that the responder may have installed already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wire.binary import WireError, decode_key, encode_key
from wire.psk import EXCHANGE_BYTES

PSK_BYTES = 32
MAX_EPOCH = 2**32 - 1


@dataclass(frozen=True, slots=True)
class PairKey:
    """A pre-shared key. epoch counts the renewals since the exchange through the control plane."""

    epoch: int
    psk: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """The key of an exchange that is confirmed but not acknowledged."""

    exchange: bytes
    key: PairKey


@dataclass(slots=True)
class Keyring:
    """current is what WireGuard is told."""

    current: PairKey | None = None
    previous: PairKey | None = None
    pending: Pending | None = None

    def advance(self, key: PairKey) -> None:
        """key is the pair's next one, wherever it came from; what was under way ends."""
        if self.current != key:
            self.previous = self.current
        self.current, self.pending = key, None

    def to_json(self, wireguard: bytes) -> dict[str, Any]:
        """For the file; wireguard is the peer's public key, to which these keys belong."""
        document: dict[str, Any] = {"wireguard_public_key": encode_key(wireguard)}
        for name, key in (("current", self.current), ("previous", self.previous)):
            if key is not None:
                document[name] = _key_json(key)
        if self.pending is not None:
            exchange = encode_key(self.pending.exchange)
            document["pending"] = {"exchange": exchange, **_key_json(self.pending.key)}
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any], wireguard: bytes) -> "Keyring":
        """Read the file; anything that is not whole, or another peer's, is as if it were not there."""
        try:
            if document["wireguard_public_key"] != encode_key(wireguard):
                return cls()
            current, previous, pending = (document.get(n) for n in ("current", "previous", "pending"))
            return cls(
                current=_key(current) if current else None,
                previous=_key(previous) if previous else None,
                pending=Pending(decode_key(pending["exchange"], EXCHANGE_BYTES), _key(pending))
                if pending
                else None,
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()


def _key_json(key: PairKey) -> dict[str, Any]:
    return {"epoch": key.epoch, "psk": encode_key(key.psk)}


def _key(document: Mapping[str, Any]) -> PairKey:
    epoch = int(document["epoch"])
    if not 0 <= epoch <= MAX_EPOCH:
        raise WireError("epoch out of range")
    return PairKey(epoch, decode_key(document["psk"], PSK_BYTES))
