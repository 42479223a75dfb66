"""Enrolment against a control plane: a machine that was signed out comes back as itself."""

import asyncio

import pytest

from agent import enrol
from agent.errors import AgentError
from agent.io.control import ControlClient
from agent.keys import MachineKeys
from agent.state import IDENTITY, Config, Store, Tokens
from tests.agent.shell import Shell
from tests.e2e.conftest import control_plane  # noqa: F401 the fixture


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    return Shell(control_plane, tmp_path_factory.mktemp("enrol"), "machines")


@pytest.fixture
def key(shell):
    made = shell.call("key-management", "create_auth_key", name="key", reusable=True)
    return made["key"], made["id"]


def enrolled(store, control_plane, key, name):  # noqa: F811
    async def run():
        client = ControlClient(control_plane.url)
        try:
            return await enrol.by_key(store, client, Config(hostname=name), auth_key=key, tags=[])
        finally:
            await client.close()

    return asyncio.run(run())


def test_a_signed_out_machine_returns_with_its_identity(control_plane, shell, key, tmp_path):  # noqa: F811
    store = Store(tmp_path)
    first = enrolled(store, control_plane, key[0], "laptop")
    store.forget()
    assert store.machine() is None
    assert store.tokens() is None
    kept = (tmp_path / IDENTITY).read_text()
    assert first.node_key not in kept
    assert first.wireguard_private_key not in kept
    second = enrolled(store, control_plane, key[0], "another name")
    assert (second.machine_id, second.tailnet_ip, second.name) == (
        first.machine_id,
        first.tailnet_ip,
        "laptop",
    )
    assert second.wireguard_public_key != first.wireguard_public_key
    # Its peers have pinned the identity: another one would be refused.
    assert MachineKeys.from_state(second).identity_public == MachineKeys.from_state(first).identity_public
    assert not (tmp_path / IDENTITY).exists()
    (row,) = [row for row in shell.table("auth_keys") if row["id"] == key[1]]
    assert row["used_count"] == 2


def test_signing_in_again_keeps_the_identity_that_the_peers_know(control_plane, shell, tmp_path):  # noqa: F811
    store = Store(tmp_path)

    def signed_in(name):
        store.save(Tokens(shell.token))

        async def run():
            client = ControlClient(control_plane.url)
            config = Config(hostname=name, org_id=shell.org)
            try:
                return await enrol.by_person(store, client, config, org=None, tags=[])
            finally:
                await client.close()

        return asyncio.run(run())

    def identity(machine):
        return MachineKeys.from_state(machine).identity_public

    first = signed_in("desk")
    again = signed_in("desk")
    store.forget()
    back = signed_in("desk")
    assert first.machine_id == again.machine_id == back.machine_id
    assert identity(first) == identity(again) == identity(back)
    assert len({first.wireguard_public_key, again.wireguard_public_key, back.wireguard_public_key}) == 3
    # The identity is that machine's: another one of the same host gets one of its own.
    other = signed_in("other")
    assert other.machine_id != back.machine_id
    assert identity(other) != identity(back)


def test_a_machine_that_was_deleted_is_a_new_one(control_plane, shell, key, tmp_path):  # noqa: F811
    store = Store(tmp_path)
    first = enrolled(store, control_plane, key[0], "gone")
    store.forget()
    shell.call("machine-admin", "delete", machine_id=first.machine_id)
    assert enrolled(store, control_plane, key[0], "gone").machine_id != first.machine_id


def test_a_damaged_identity_is_told(control_plane, key, tmp_path):  # noqa: F811
    store = Store(tmp_path)
    store.save_json(IDENTITY, {"machine_id": "x", "identity_private_key": "AA=="})
    with pytest.raises(AgentError, match="damaged"):
        enrolled(store, control_plane, key[0], "laptop")
