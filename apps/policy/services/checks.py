"""What a policy must hold: the organisation's own tests, asked of the policy as it is being written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from apps.machines.changes import stored_version
from apps.machines.snapshots import feed_of
from apps.policy.engine import Policy
from apps.policy.errors import TestsFailed
from apps.policy.facts import MachineFacts
from apps.policy.models import PolicyTest
from apps.policy.rights import fresh_policy
from apps.policy.selectors import parse_selector


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that does not hold, and the pair that shows it."""

    id: Any
    name: str
    expected: str
    actual: str
    rule: str | None

    def told(self) -> dict[str, Any]:
        """As the API answers it."""
        return {name: getattr(self, name) for name in self.__slots__}


def current_policy(org: Any) -> Policy:
    """The compiled policy that the maps of this organisation are made from."""
    org_id = getattr(org, "pk", org)
    return feed_of(org_id).at_least(stored_version(org_id)).rights.policy


def run_tests(org: Any, policy: Policy, *, keep: bool = False) -> tuple[int, list[Failure]]:
    """(how many hold, those that do not); keep: remember each result with its test."""
    passed, failed = 0, []
    now = timezone.now()
    for test in PolicyTest.objects.for_org(org):
        failure = _judge(test, policy, now.timestamp())
        passed += failure is None
        failed += [failure] if failure else []
        if keep:
            test.last_result, test.last_run_at = "failed" if failure else "passed", now
            test.save(update_fields=["last_result", "last_run_at"])
    return passed, failed


def require_tests(org: Any) -> None:
    """Raise TestsFailed unless the rules as they stand in this transaction hold every test."""
    if PolicyTest.objects.for_org(org).exists():
        _, failed = run_tests(org, fresh_policy(org.pk))
        if failed:
            raise TestsFailed(failed=[failure.told() for failure in failed])


def _judge(test: PolicyTest, policy: Policy, now: float) -> Failure | None:
    """allow means every pair may; deny means none may. Ends that nothing has prove nothing: that fails."""
    sources = _named(policy, test.source, "source")
    destinations = _named(policy, test.destination, "destination")
    pairs = [(a, b) for a in sources for b in destinations if a.id != b.id]
    if not pairs:
        return Failure(test.pk, test.name, test.expected, "no machines", None)
    for source, destination in pairs:
        verdict = policy.decide(source, destination, test.protocol, test.port, now)
        if verdict.allowed != (test.expected == "allow"):
            actual = "allow" if verdict.allowed else "deny"
            return Failure(
                test.pk, test.name, test.expected, actual, verdict.rule.name if verdict.rule else None
            )
    return None


def _named(policy: Policy, text: str, field: str) -> Iterable[MachineFacts]:
    machines = policy.world.machines
    return [machines[key] for key in sorted(policy.machines.named_by(parse_selector(text, field)))]
