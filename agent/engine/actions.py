"""What the engine asks its shell to do."""

from dataclasses import dataclass

from wire.binary import Endpoint
from wire.disco import Message


@dataclass(frozen=True, slots=True)
class SendDirect:
    """A disco message to a UDP address. ttl None is the system's own."""

    endpoint: Endpoint
    message: Message
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class SendRelayed:
    """A disco message through the peer's relay."""

    message: Message


@dataclass(frozen=True, slots=True)
class Move:
    """Traffic goes to this address from now on; None is the relay."""

    endpoint: Endpoint | None


Action = SendDirect | SendRelayed | Move
