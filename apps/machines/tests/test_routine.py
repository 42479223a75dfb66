"""The short way for routine heartbeats: it says what the pipeline says, and leaves the rest to it."""

import io
import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.machines import presence
from apps.machines.routine import LIMIT, RoutineHeartbeats
from apps.machines.tests.agents import admin, auth_key, enrol
from tests.cast import forget_limits

PIPELINE = b"the whole pipeline"


def ask(node_key, body, **environ):
    """(body of the answer, status) from the short way with a pipeline that only names itself."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    seen = {}

    def pipeline(inner, start_response):
        seen["body"] = inner["wsgi.input"].read()
        return [PIPELINE]

    answer = RoutineHeartbeats(pipeline)(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/api/machine-heartbeat",
            "HTTP_AUTHORIZATION": f"Bearer {node_key}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(raw)),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(raw),
            **environ,
        },
        lambda status, headers: seen.update(status=status, headers=dict(headers)),
    )
    joined = b"".join(answer)
    if joined == PIPELINE:
        assert seen["body"] == raw, "the pipeline must find the body unread"
    return joined, seen


@pytest.fixture
def machine(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a, reusable=True)["key"], "alpha")
    version = agent.heartbeat(version="0.1.0").json()["data"]["netmap_version"]
    body = {"status": "online", "netmap_version": version, "version": "0.1.0"}
    agent.heartbeat(**body)
    return agent, body


def test_it_answers_as_the_pipeline_does_and_asks_no_database(machine):
    agent, body = machine
    usual = agent.heartbeat(**body).json()
    with CaptureQueriesContext(connection) as queries:
        raw, seen = ask(agent.node_key, body)
    short = json.loads(raw)
    assert {**short["data"], "server_time": 0} == {**usual["data"], "server_time": 0}
    assert (short["success"], short["error"], seen["status"]) == (True, None, "200 OK")
    assert seen["headers"]["X-Request-Id"]
    assert len(queries) == 0


def test_it_notes_a_sign_of_life(machine):
    agent, body = machine
    presence.left([uuid.UUID(agent.id)])
    ask(agent.node_key, body)
    assert presence.is_present(uuid.UUID(agent.id))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "offline"},
        {"status": "asleep"},
        {"netmap_version": 0},
        {"netmap_version": None},
        {"version": "9.9.9"},
        {"endpoints": ["192.0.2.1:41641"]},
        {"endpoints": ["nonsense"]},
    ],
    ids=str,
)
def test_what_is_not_routine_goes_through_the_pipeline(machine, change):
    agent, body = machine
    assert ask(agent.node_key, {**body, **change})[0] == PIPELINE


def test_a_machine_that_moved_goes_through_the_pipeline(machine):
    agent, body = machine
    assert ask(agent.node_key, body, REMOTE_ADDR="198.51.100.7")[0] == PIPELINE


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 5000, b'"x"'], ids=repr)
def test_bad_bodies_go_through_the_pipeline(machine, body):
    assert ask(machine[0].node_key, body)[0] == PIPELINE


def test_strangers_and_dead_keys_go_through_the_pipeline(cast, machine):
    agent, body = machine
    assert ask("nk_live_" + "0" * 64, body)[0] == PIPELINE
    assert ask("", body)[0] == PIPELINE
    admin(cast.alice, "delete", agent.id)
    assert ask(agent.node_key, body)[0] == PIPELINE


@pytest.mark.parametrize("action", ["quarantine", "disable", "lock_device", "expire_key"])
def test_a_machine_out_of_favour_goes_through_the_pipeline_at_once(cast, machine, action):
    agent, body = machine
    admin(cast.alice, action, agent.id)
    assert ask(agent.node_key, body)[0] == PIPELINE


@pytest.mark.parametrize("header", ["HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_IDEMPOTENCY_KEY"])
def test_browsers_and_repeats_go_through_the_pipeline(machine, header):
    agent, body = machine
    assert ask(agent.node_key, body, **{header: "x"})[0] == PIPELINE


def test_the_limit_counts_here_too(machine):
    agent, body = machine
    forget_limits()
    answers = [ask(agent.node_key, body)[0] for _ in range(LIMIT.count + 5)]
    assert PIPELINE not in answers[: LIMIT.count - 1]
    assert answers[-1] == PIPELINE
    assert agent.heartbeat(**body).status_code == 429
