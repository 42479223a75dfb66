"""Base64 of fixed-size values, and addresses as bytes."""

import base64
import binascii
import ipaddress
from typing import NamedTuple

ENDPOINT_BYTES = 18


class WireError(ValueError):
    """Bytes or JSON that no honest peer sends."""


class Endpoint(NamedTuple):
    """A UDP address: textual IP address (v4 or v6) and port 1..65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `1.2.3.4:5` or `[::1]:5`; anything else raises WireError."""
        host, separator, port = text.rpartition(":")
        try:
            address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            number = int(port)
        except ValueError:
            raise WireError("endpoint must be address:port") from None
        if not separator or not 1 <= number <= 65535:
            raise WireError("endpoint must be address:port")
        return cls(str(address), number)


def encode_key(raw: bytes) -> str:
    """Padded base64 of a key, ciphertext or signature."""
    return base64.b64encode(raw).decode("ascii")


def decode_key(text: str, size: int) -> bytes:
    """Strictly decode padded base64 that must hold exactly `size` bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("value is not base64") from None
    if len(raw) != size:
        raise WireError(f"value must be {size} bytes, not {len(raw)}")
    return raw


def pack_endpoint(endpoint: Endpoint) -> bytes:
    """18 bytes: IPv6 address (IPv4 mapped, RFC 4291 section 2.5.5.2) and big-endian port."""
    address = ipaddress.ip_address(endpoint.host)
    if isinstance(address, ipaddress.IPv4Address):
        address = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    return address.packed + endpoint.port.to_bytes(2, "big")


def unpack_endpoint(raw: bytes) -> Endpoint:
    """Reverse of pack_endpoint; WireError on a wrong size or port 0."""
    if len(raw) != ENDPOINT_BYTES:
        raise WireError(f"endpoint must be {ENDPOINT_BYTES} bytes")
    address = ipaddress.IPv6Address(raw[:16])
    port = int.from_bytes(raw[16:], "big")
    if port == 0:
        raise WireError("endpoint has port 0")
    return Endpoint(str(address.ipv4_mapped or address), port)
