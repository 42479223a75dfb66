"""Seals and opens disco messages, and finds the path they belong to."""

from collections.abc import Callable

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from wire.binary import WireError
from wire.disco import NONCE_BYTES, Message, decode, encode, pack_header, split_packet


class Sealer:
    """Boxes between our disco key and those of known peers."""

    def __init__(self, private: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._private = PrivateKey(private)
        self._public = self._private.public_key.encode()
        self._random_bytes = random_bytes
        self._boxes: dict[bytes, Box] = {}

    def add(self, peer: bytes) -> None:
        """Talk to the holder of this disco key."""
        self._boxes[peer] = Box(self._private, PublicKey(peer))

    def remove(self, peer: bytes) -> None:
        """Forget a peer: what it sends is dropped."""
        self._boxes.pop(peer, None)

    def seal(self, peer: bytes, message: Message) -> bytes:
        """A packet for a known peer."""
        nonce = self._random_bytes(NONCE_BYTES)
        box = self._boxes[peer].encrypt(encode(message), nonce).ciphertext
        return pack_header(self._public, nonce) + box

    def open(self, packet: bytes) -> tuple[bytes, Message] | None:
        """(sender, message), or None for anything that a known peer did not seal for us."""
        try:
            sender, nonce, box = split_packet(packet)
            known = self._boxes.get(sender)
            return (sender, decode(known.decrypt(box, nonce))) if known else None
        except (WireError, CryptoError):
            return None
