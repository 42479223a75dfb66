"""From policies, signals and time to a verdict and what follows from it. Pure: the clock is passed in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.posture.requirements import Requirements, Signals, lacks

MODES = ("disabled", "monitor", "enforce")
# Weakest first.
EFFECTS = ("none", "warn", "restrict", "quarantine")
ON_FAIL = EFFECTS[1:]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that applies to the machine; on_fail takes effect grace_seconds after it began to fail."""

    id: str
    name: str
    requirements: Requirements
    on_fail: str = "quarantine"
    grace_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict. failing: since when each policy fails (Unix time); grace_ends: when the next effect begins.

    details: {code, found, allowed, policy_id} of every policy; codes: the same without repetition.
    failed: names of the policies; imposed: those whose effect this is.
    """

    compliant: bool = True
    details: tuple[dict[str, Any], ...] = ()
    failing: Mapping[str, float] = field(default_factory=dict)
    grace_ends: float | None = None
    effect: str = "none"
    failed: tuple[str, ...] = ()
    imposed: tuple[str, ...] = ()

    @property
    def codes(self) -> list[str]:
        return list(dict.fromkeys(detail["code"] for detail in self.details))


def judge(
    policies: Iterable[Policy], signals: Signals, *, mode: str, failing: Mapping[str, float], now: float
) -> Judgement:
    """Hold signals against every policy; failing is that of the judgement before."""
    if mode == "disabled":
        return Judgement()
    details: list[dict[str, Any]] = []
    since: dict[str, float] = {}
    effects: list[tuple[str, str]] = []
    ends: list[float] = []
    for policy in policies:
        found = [
            {"code": lack.code, "found": lack.found, "allowed": lack.allowed, "policy_id": policy.id}
            for lack in lacks(policy.requirements, signals)
        ]
        if not found:
            continue
        details += found
        since[policy.id] = failing.get(policy.id, now)
        end = since[policy.id] + policy.grace_seconds
        if end > now:
            ends.append(end)
        grave = policy.on_fail if end <= now and mode == "enforce" else "warn"
        effects.append((policy.name, grave))
    effect = max((grave for _, grave in effects), key=EFFECTS.index, default="none")
    return Judgement(
        compliant=not details,
        details=tuple(details),
        failing=since,
        grace_ends=min(ends, default=None),
        effect=effect,
        failed=tuple(name for name, _ in effects),
        imposed=tuple(name for name, grave in effects if grave == effect),
    )
