"""The agent's socket to the control plane: `/api/agent`, JSON text frames `{"type": ..., ...}`.

Each message is declared once with the side that may send it; a frame from the wrong side, or of
an unknown type, cannot be parsed.
"""

import json
from enum import StrEnum
from typing import Any, Final

from wire.binary import WireError

SUBPROTOCOL: Final = "ztna-agent.v1"
PATH: Final = "/api/agent"
MAX_UP_BYTES: Final = 64 * 1024
MAX_DOWN_BYTES: Final = 256 * 1024
AUTH_SECONDS: Final = 10
PING_SECONDS: Final = 25
SILENCE_SECONDS: Final = 75
_PART_CHARACTERS: Final = 100_000  # quoting may double it

CLOSE_HEARD: Final = 1000  # a goodbye
CLOSE_RESTART: Final = 1001
CLOSE_TOO_BIG: Final = 1009
CLOSE_SILENT: Final = 4000
CLOSE_CREDENTIAL: Final = 4001
CLOSE_FORBIDDEN: Final = 4003
CLOSE_TOO_CHATTY: Final = 4008
CLOSE_REPLACED: Final = 4009


class FromServer(StrEnum):
    """What the control plane says.

    hello {challenge, protocol, server_time, session_id} · ready {status, heartbeat_s, signing_keys} ·
    netmap {netmap, relay_token, expires_in} · part {index, count, data}: a larger message cut
    into pieces of JSON text · delta {delta} · alive {netmap_version, server_time} ·
    nudge {what, peer_machine_id?} · token {relay_token, expires_in} · reply {id, data | error} ·
    count_cut {id, trial}: to agents with the capability alone, which open connections a filter would
    cut (wire.connections) · explained {nonce, statement | null}: see wire.losses ·
    close_reason {code, message, final, statement?, signing_keys?}: a dead node key is proven dead
    """

    HELLO = "hello"
    READY = "ready"
    NETMAP = "netmap"
    PART = "part"
    DELTA = "delta"
    ALIVE = "alive"
    NUDGE = "nudge"
    TOKEN = "token"
    REPLY = "reply"
    COUNT_CUT = "count_cut"
    EXPLAINED = "explained"
    CLOSE_REASON = "close_reason"


class FromAgent(StrEnum):
    """What an agent says.

    auth {machine_id, signature, netmap_version, version, capabilities} ·
    ack {version, received_at, enforced_at, errors} · resync {have} · heartbeat {status,
    endpoints, derp_region, derp_latencies, connectivity, paths} · goodbye · endpoints
    {endpoints, derp_region, derp_latencies} · query {id, kind, args} · ping ·
    cut_counted {id, counted}: the answer to count_cut, once for each ·
    explain {from, to, nonce, count, lost, peers}: why does a map take these peers away? (wire.losses) ·
    event {kind: "peer_identity_changed", peer_machine_id, old, new}: a peer was refused, for its
    identity is not the one seen before; both are base64 Ed25519 public keys ·
    event {kind: "map_refused", have, offered, lost, why}: a map that took so many peers away without
    a reason is not acted on
    """

    AUTH = "auth"
    ACK = "ack"
    RESYNC = "resync"
    HEARTBEAT = "heartbeat"
    GOODBYE = "goodbye"
    ENDPOINTS = "endpoints"
    QUERY = "query"
    PING = "ping"
    EVENT = "event"
    CUT_COUNTED = "cut_counted"
    EXPLAIN = "explain"


PEER_IDENTITY_CHANGED: Final = "peer_identity_changed"
MAP_REFUSED: Final = "map_refused"


def encode(kind: FromServer | FromAgent, /, **body: Any) -> str:
    """One frame as compact JSON text."""
    return json.dumps({"type": kind.value, **body}, separators=(",", ":"))


def frames(kind: FromServer, /, **body: Any) -> list[str]:
    """The same as one frame, or as many parts as it takes."""
    frame = encode(kind, **body)
    if len(frame) <= MAX_DOWN_BYTES // 2:
        return [frame]
    parts = [frame[at : at + _PART_CHARACTERS] for at in range(0, len(frame), _PART_CHARACTERS)]
    return [
        encode(FromServer.PART, index=index, count=len(parts), data=data) for index, data in enumerate(parts)
    ]


def parse_from_server(text: str) -> tuple[FromServer, dict[str, Any]]:
    """(type, body) of a frame that an agent received."""
    kind, body = _parse(text, MAX_DOWN_BYTES)
    try:
        return FromServer(kind), body
    except ValueError:
        raise WireError(f"unexpected message {kind!r}") from None


def parse_from_agent(text: str) -> tuple[FromAgent, dict[str, Any]]:
    """(type, body) of a frame that the control plane received."""
    kind, body = _parse(text, MAX_UP_BYTES)
    try:
        return FromAgent(kind), body
    except ValueError:
        raise WireError(f"unexpected message {kind!r}") from None


def _parse(text: str, limit: int) -> tuple[str, dict[str, Any]]:
    if len(text.encode()) > limit:
        raise WireError("frame too large")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise WireError("frame is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise WireError("frame must be an object with a type")
    return body.pop("type"), body
