"""Enrolment: keys are made here, announced with the identity's signature, and saved once accepted."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from agent import __version__
from agent.errors import AgentError, not_authenticated
from agent.io.control import ApiError, ControlClient
from agent.keys import MachineKeys
from agent.session import Session
from agent.settings import platform_name
from agent.state import IDENTITY, Config, MachineState, Store, Tokens
from wire.binary import WireError, decode_key, encode_key
from wire.identity import reenrolment

RETRIES = 3
RETRY_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
APPROVAL_SECONDS = 5.0
IDENTITY_BYTES = 32


async def by_key(
    store: Store, client: ControlClient, config: Config, *, auth_key: str, tags: list[str]
) -> MachineState:
    """Enrol with an auth key; AgentError, and nothing saved, when it is refused."""
    former = store.machine()
    signed_out = None if former else store.load_json(IDENTITY)

    async def ask(keys: MachineKeys) -> Mapping[str, Any]:
        body = {**_candidate(config, keys, former), "auth_key": auth_key, "tags": tags}
        if signed_out:
            body["previous"] = _proof(signed_out["machine_id"], keys, auth_key)
        return await _insist(client, "/api/register-machine", body)

    keys, answer = await _as_before(store, ask)
    return _save(store, client, config, keys, answer)


async def by_person(
    store: Store, client: ControlClient, config: Config, *, org: str | None, tags: list[str]
) -> MachineState:
    """Enrol as the signed-in person, who will own the machine; org is a slug.

    Of the tags it gets those that he may give: the machine that is answered says which.
    """
    tokens = store.tokens()
    if tokens is None:
        raise not_authenticated()
    session = Session(store, client)
    config = await choose_org(session, config, org)
    wanted = {"org_id": config.org_id, "tags": tags}

    async def ask(keys: MachineKeys) -> Mapping[str, Any]:
        body = {**_candidate(config, keys, store.machine()), **wanted}
        answer: Mapping[str, Any] = await session.call("POST", "/api/client-setup", body)
        return answer

    keys, answer = await _as_before(store, ask)
    return _save(store, client, config, keys, answer)


async def choose_org(session: Session, config: Config, slug: str | None) -> Config:
    """The organisation to join: by slug, as stored, or the only one there is."""
    if slug is None and config.org_id:
        return config
    rows = await session.call("GET", "/api/user-orgs")
    organisations = rows["organizations"] if isinstance(rows, dict) else rows
    found = [entry for entry in organisations if slug in (None, entry["slug"])]
    if len(found) == 1:
        return replace(config, org_id=str(found[0]["id"]), org_slug=str(found[0]["slug"]))
    if slug is not None:
        raise AgentError("NOT_FOUND", f"you are not a member of an organization {slug!r}")
    if not found:
        raise AgentError("NO_ORGANIZATION", "you are in no organization yet. Create one in the console")
    names = ", ".join(sorted(str(entry["slug"]) for entry in found))
    raise AgentError("ORG_REQUIRED", f"choose an organization with --org: {names}")


async def await_approval(
    store: Store, client: ControlClient, machine: MachineState, wait_seconds: float
) -> bool:
    """Whether the machine is let in, asking for up to wait_seconds; the answer is kept."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            await client.call("POST", "/api/machine-heartbeat", {"status": "online"}, token=machine.node_key)
        except ApiError as error:
            if error.code != "PENDING_APPROVAL":
                raise
        else:
            store.save(replace(machine, status="online"))
            return True
        if time.monotonic() + APPROVAL_SECONDS > deadline:
            return False
        await asyncio.sleep(APPROVAL_SECONDS)


def _candidate(config: Config, keys: MachineKeys, former: MachineState | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": config.hostname or socket.gethostname().partition(".")[0],
        "os": platform_name(),
        "version": __version__,
        **keys.announcement(),
    }
    if former is not None:
        # The old node key proves that this is the same machine: id and address stay.
        body["previous"] = {"machine_id": former.machine_id, "proof": former.node_key}
    return body


async def _as_before(
    store: Store, ask: Callable[[MachineKeys], Awaitable[Mapping[str, Any]]]
) -> tuple[MachineKeys, Mapping[str, Any]]:
    """(new keys, the answer to them) under the identity that the peers have pinned, if it may stay."""
    identity = _identity(store)
    keys = MachineKeys.generate(identity)
    try:
        return keys, await ask(keys)
    except ApiError as error:
        # Another row has it: this enrolment makes a second machine of this host.
        if identity is None or error.code != "CONFLICT" or "identity_public_key" not in error.message:
            raise
    keys = MachineKeys.generate()
    return keys, await ask(keys)


def _identity(store: Store) -> bytes | None:
    """That of the enrolment, or the one that was kept when it was ended."""
    if (machine := store.machine()) is not None:
        return MachineKeys.from_state(machine).identity
    kept = store.load_json(IDENTITY)
    if kept is None:
        return None
    try:
        return decode_key(str(kept["identity_private_key"]), IDENTITY_BYTES)
    except (KeyError, WireError):
        raise AgentError("BAD_STATE", f"{IDENTITY} is damaged; remove it to enrol a new machine") from None


def _proof(machine_id: str, keys: MachineKeys, auth_key: str) -> dict[str, str]:
    """That this is the machine of before: its peers know the identity, its id and address stay."""
    message = reenrolment(machine_id=machine_id, auth_key=auth_key, bundle=keys.bundle)
    return {"machine_id": machine_id, "proof": encode_key(keys.sign(message))}


async def _insist(client: ControlClient, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Post, obeying Retry-After and trying a lost race again."""
    for attempt in range(RETRIES):
        try:
            answer: Mapping[str, Any] = await client.call("POST", path, body)
            return answer
        except ApiError as error:
            again = error.code == "REGISTRATION_CONFLICT" or (
                error.code == "RATE_LIMITED" and (error.retry_after or 0) <= LONGEST_WAIT_SECONDS
            )
            if not again or attempt == RETRIES - 1:
                raise
            await asyncio.sleep(error.retry_after or RETRY_SECONDS)
    raise AssertionError("unreachable")


def _save(
    store: Store, client: ControlClient, config: Config, keys: MachineKeys, answer: Mapping[str, Any]
) -> MachineState:
    ours = keys.secrets()["wireguard_public_key"]
    try:
        if answer.get("wg_public_key", ours) != ours:
            raise AgentError("BAD_ANSWER", "the control plane registered another key than ours")
        machine = MachineState(
            machine_id=str(answer["machine_id"]),
            org_id=str(answer["org_id"]),
            name=str(answer["name"]),
            magicdns_name=str(answer["magicdns_name"]),
            tailnet_ip=str(answer["tailnet_ip"]),
            tailnet_ipv6=answer.get("tailnet_ipv6"),
            node_key=str(answer["node_key"]),
            tags=tuple(answer.get("tags") or ()),
            status=str(answer["status"]),
            **keys.secrets(),
        )
    except KeyError as missing:
        raise AgentError("BAD_ANSWER", f"the control plane's answer lacks {missing}") from None
    store.save(machine)
    store.remove(IDENTITY)
    store.save(replace(config, api_url=client.url, org_id=machine.org_id))
    if store.tokens() is None and answer.get("token"):
        store.save(Tokens(str(answer["token"])))
    return machine
