"""What a router grants, whichever protocol asked for it."""

from dataclasses import dataclass

from wire.binary import Endpoint

# RFC 6886, section 3.3, recommends two hours; PCP (RFC 6887, section 15) leaves it to the server.
LIFETIME_SECONDS = 7200


class PortMapError(Exception):
    """The router refused, or what it said cannot be used."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """UDP packets to `external` reach our port for `lifetime` seconds (0: until it is deleted)."""

    protocol: str  # pcp, nat-pmp or upnp
    external: Endpoint
    lifetime: int
