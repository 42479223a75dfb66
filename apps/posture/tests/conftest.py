"""Machines that several files of this folder judge."""

import pytest

from apps.machines.tests.agents import auth_key, enrol
from apps.posture.tests.calls import HEALTHY, data, report, set_mode


@pytest.fixture
def pair(cast):
    """A healthy and an unhealthy machine that reach each other, online, where posture is enforced."""
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    agents = [enrol(key, name) for name in ("sound", "sick")]
    for agent in agents:
        data(agent.heartbeat())
    report(agents[0], **HEALTHY)
    report(agents[1])
    set_mode(cast.alice, cast.org_a, "enforce")
    return agents
