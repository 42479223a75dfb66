"""Two pairs of eyes: where an organisation asks for them, nobody changes its policy alone."""

from typing import Any

from apps.auth.models import ApiKey
from apps.core.actors import Actor
from apps.core.errors import FourEyesRequired
from apps.orgs.planning import asked_for
from apps.policy.models import ChangePlan


def refuse_unapproved(org: Any, plan: ChangePlan) -> None:
    """Before a plan is put in force; raises FourEyesRequired."""
    if plan.approved_by_id is None and asked_for(org):
        raise FourEyesRequired("A second administrator has to approve this plan", plan_id=plan.pk)


def person_behind(org: Any, actor: Actor) -> Any:
    """Whose eyes they are: an API key sees with those of who made it. None for jobs."""
    if actor.kind != "api_key":
        return actor.user_id
    return ApiKey.objects.for_org(org).filter(pk=actor.id).values_list("created_by_id", flat=True).first()
