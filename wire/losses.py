"""A map that takes most peers away at once: when it needs a signed reason, and what that reason names.

The agent names what it would lose and keeps its map meanwhile; the control plane signs why, if a change
that somebody committed explains every loss. Statements are JWTs (RFC 7519, ES256) with the claims sub
(machine), org, from, to (versions), count and lost (digest) of the peers, reason, nonce (the agent's).
"""

import hashlib
from collections.abc import Iterable, Set
from typing import Final

AUDIENCE: Final = "quickztna-map-loss"
TYPE: Final = "map-loss+jwt"
# That a machine is no longer one: sub, org, and key, the SHA-256 of the node key that is dead.
REMOVAL_AUDIENCE: Final = "quickztna-removal"
REMOVAL_TYPE: Final = "removal+jwt"
# Who says so before the key is looked at: organisation/machine.
MACHINE_HEADER: Final = "X-Machine"
INTRODUCTION_AUDIENCE: Final = "quickztna-signing-key"
INTRODUCTION_TYPE: Final = "signing-key+jwt"
STATEMENT_SECONDS: Final = 60
# A network of a few is a network whose peers come and go.
MIN_LOST: Final = 3
# Of a longer list the first ones stand for all; the digest is over the whole.
MAX_NAMED: Final = 1500


def massive(held: Set[str], offered: Set[str]) -> frozenset[str]:
    """The peers that would go, if they are at least half of those that are held; else none."""
    lost = held - offered
    return frozenset(lost) if len(lost) >= MIN_LOST and 2 * len(lost) >= len(held) else frozenset()


def digest(lost: Iterable[str]) -> str:
    """Of peers by machine id, in any order."""
    return hashlib.sha256("\n".join(sorted(lost)).encode()).hexdigest()
