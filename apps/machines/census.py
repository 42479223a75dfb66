"""What connected machines say of their open connections: asked all at once, answered one by one.

The trials wait in the cache, where the process that holds a machine's socket finds them; what travels to
all of them is a question's id and whom it is for. A machine without an answer is one that keeps silent.
"""

import asyncio
import json
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from channels.db import database_sync_to_async
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

from apps.machines.changes import tell_agents
from apps.machines.models import Machine
from apps.machines.nodes import Node
from apps.machines.signals import connections_counted
from wire.binary import WireError
from wire.connections import CAPABILITY, Counted, FilterTrial
from wire.documents import mapping, texts

logger = logging.getLogger("quickztna.census")
ANSWER_SECONDS = 2.5
KEPT_SECONDS = 30
# Answers of one moment are taken in together.
GATHER_SECONDS = 0.1
MAX_OPEN = 8
MAX_CAPABILITIES = 50
MAX_GATHERED = 5000


def ask_agents(org_id: uuid.UUID, question: uuid.UUID, trials: Mapping[str, FilterTrial]) -> None:
    """Put a question to machines by id, after commit; `connections_counted` brings what they answer."""
    transaction.on_commit(partial(_ask, org_id, question, trials))


def _ask(org_id: uuid.UUID, question: uuid.UUID, trials: Mapping[str, FilterTrial]) -> None:
    documents = {_key(org_id, question, key): json.dumps(trial.to_json()) for key, trial in trials.items()}
    try:
        cache.set_many(documents, timeout=KEPT_SECONDS)
    except (RedisError, OSError):
        logger.exception("machines not asked", extra={"org": str(org_id)})
        return
    tell_agents(org_id, {"type": "agent.asked", "question": str(question), "machines": list(trials)})


def trials_of(org_id: uuid.UUID, question: str, machines: Collection[str]) -> dict[str, FilterTrial]:
    """What some machines are asked; reads the cache."""
    keys = {_key(org_id, question, key): key for key in machines}
    found = cache.get_many(keys)
    return {keys[key]: FilterTrial.from_json(json.loads(text)) for key, text in found.items()}


def _key(org_id: uuid.UUID, question: object, machine_id: str) -> str:
    return f"census:{org_id}:{question}:{machine_id}"


class Answers:
    """Gathers what the machines of this process answer, and hands it on in batches."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[uuid.UUID, str], dict[str, Counted]] = {}
        self._handing: asyncio.Task[None] | None = None

    def note(self, org_id: uuid.UUID, question: str, machine_id: uuid.UUID, counted: Counted) -> None:
        """A machine's answer; call on the event loop."""
        answers = self._gathered.setdefault((org_id, question), {})
        if len(answers) < MAX_GATHERED:
            answers[str(machine_id)] = counted
        if self._handing is None or self._handing.done():
            self._handing = asyncio.create_task(self._hand_on())

    async def _hand_on(self) -> None:
        while self._gathered:
            await asyncio.sleep(GATHER_SECONDS)
            taken, self._gathered = self._gathered, {}
            for (org_id, question), answers in taken.items():
                values: dict[str, Any] = {"org_id": org_id, "question": question, "answers": answers}
                try:
                    await database_sync_to_async(connections_counted.send)(sender=Machine, **values)
                except Exception:
                    # Figures: one question's trouble must not cost the others theirs.
                    logger.exception("answers not taken", extra={"org": str(org_id)})


answers = Answers()


class OpenQuestions:
    """What one socket's machine was asked and has not answered."""

    def __init__(self) -> None:
        self._can_count = False
        self._asked: OrderedDict[str, tuple[frozenset[str], float]] = OrderedDict()

    def understands(self, capabilities: Any) -> None:
        """What the agent says that it can do; WireError for anything but a list of texts."""
        self._can_count = CAPABILITY in texts(capabilities, limit=MAX_CAPABILITIES)

    def put(self, question: str, trial: FilterTrial) -> bool:
        """Whether to ask; an agent that can't count would not understand the frame."""
        if self._can_count:
            self._asked[question] = frozenset(trial.inbound), time.monotonic()
            while len(self._asked) > MAX_OPEN:
                self._asked.popitem(last=False)
        return self._can_count

    def answered(self, node: Node, body: Mapping[str, Any]) -> None:
        """A machine answers for itself, once, what it was asked; WireError for what nobody asked about."""
        question, counted = str(body.get("id")), Counted.from_json(mapping(body.get("counted")))
        peers, asked_at = self._asked.pop(question, (frozenset[str](), 0.0))
        if time.monotonic() - asked_at > ANSWER_SECONDS:
            return  # too late, or a second time
        if not peers.issuperset(kind.peer_machine_id for kind in counted.cut):
            raise WireError("nobody asked about these peers")
        answers.note(node.org_id, question, node.pk, counted)
