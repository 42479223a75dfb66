"""`ztna set --tags` against a control plane: as far as the machine's owner owns them."""

import asyncio
import json

import httpx
import pytest

from agent import enrol
from agent.io.control import ControlClient
from agent.state import Store, Tokens
from tests.agent.shell import Shell
from tests.e2e.conftest import control_plane  # noqa: F401 the fixture


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    """Of a member who owns the tag dev, and whose machine asked for dev and prod as it enrolled."""
    shell = Shell(control_plane, tmp_path_factory.mktemp("tags"), "set")
    shell.store = Store(shell.directory / "profile")
    member, administrator = shell.join("grace@example.test", "member"), shell.token
    shell.store.save(Tokens(member))
    shell.headers = {"Authorization": f"Bearer {member}"}
    me = httpx.get(f"{control_plane.url}/api/auth/me", headers=shell.headers).json()["data"]
    owner = {"org_id": shell.org, "tag": "dev", "principal_id": me.get("user", me)["id"]}
    headers = {"Authorization": f"Bearer {administrator}"}
    made = httpx.post(f"{control_plane.url}/api/db/tag_owners", json=owner, headers=headers)
    assert made.status_code == 201, made.text

    async def set_up():
        client = ControlClient(control_plane.url)
        try:
            await enrol.by_person(shell.store, client, shell.store.config(), org=None, tags=["dev", "prod"])
        finally:
            await client.close()

    asyncio.run(set_up())
    return shell


def stored(control_plane, shell):  # noqa: F811
    """The machine's tags as the control plane has them."""
    asked = {"org_id": shell.org, "id": f"eq.{shell.store.machine().machine_id}", "select": "tags"}
    rows = httpx.get(f"{control_plane.url}/api/db/machines", params=asked, headers=shell.headers).json()
    return rows["data"][0]["tags"]


def test_enrolment_gives_what_its_person_owns(control_plane, shell):  # noqa: F811
    assert list(shell.store.machine().tags) == ["dev"] == stored(control_plane, shell)


def test_an_owner_sets_and_clears_his_tag(control_plane, shell):  # noqa: F811
    assert "tags: none" in shell.run("--tags", "")
    assert stored(control_plane, shell) == []
    assert "tags: dev" in shell.run("--tags", "tag:dev")
    assert stored(control_plane, shell) == ["dev"]


def test_a_tag_of_others_is_refused_and_said(control_plane, shell):  # noqa: F811
    before = stored(control_plane, shell)
    told = shell.run("--tags", "dev,prod", status=1)
    assert "Only an administrator, or who owns the tag, may change tag:prod" in told
    assert "Settings saved" not in told
    assert stored(control_plane, shell) == before
    answer = json.loads(shell.run("--advertise-tags", "dev", "--json"))
    assert answer["changed"]["tags"] == ["dev"]
