"""What a relay believes of a client, once its token is verified."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: the key (32 bytes) of a machine, its organisation, its end.

    issued_at is Unix time, as the control plane wrote it.
    """

    key: bytes
    organisation: str
    expires_at: float
    issued_at: int = 0


class TokenRefused(Exception):
    """The token is forged, expired, or for another audience or region."""
