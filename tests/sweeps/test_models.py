"""Every table says whose rows it holds."""

from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

from apps.core.tenancy import GLOBAL_MODELS, OrgManager, OrgOwned, UnscopedQueryError

ROOT = Path(__file__).parents[2]
OURS = [model for model in apps.get_models() if model.__module__.startswith("apps.")]

# Uses of the unscoped manager outside admin, migrations and tests. Only ever lower a number here:
# each use was judged to need all organisations.
ALL_ORGS_USES = {
    "apps/audit/actors.py": 1,  # a person is forgotten everywhere
    "apps/audit/management/commands/audit_verify.py": 1,  # the operator checks every chain
    "apps/auth/credentials.py": 1,  # a key is looked up to learn its organisation
    "apps/core/api/tables.py": 1,  # an id is looked up to learn its organisation
    "apps/core/tenancy.py": 4,  # the definition
    "apps/machines/api/fields.py": 1,  # an id is looked up to learn its organisation
    "apps/machines/changes.py": 1,  # inserts rows that name their organisation
    "apps/machines/nodes.py": 1,  # a node key is looked up to learn its organisation
    "apps/machines/services/enrolment.py": 1,  # an auth key is looked up to learn its organisation
    "apps/machines/tasks.py": 9,  # jobs sweep all organisations
    "apps/orgs/api/management.py": 1,  # a person's own memberships
    "apps/orgs/invitations.py": 1,  # a token is looked up to learn its organisation
    "apps/orgs/receivers.py": 1,  # a person's own memberships
    "apps/policy/tasks.py": 5,  # jobs sweep all organisations
    "apps/relays/tasks.py": 1,  # the same
    "apps/relays/sessions.py": 5,  # built-in relays report machines of all organisations
    "apps/posture/tasks.py": 2,  # the same
    "apps/flows/tasks.py": 2,  # the same
    "apps/webhooks/services/queue.py": 4,  # the same
    "apps/webhooks/tasks.py": 2,  # the same
}


def label(model: type[Model]) -> str:
    return f"{model._meta.app_label}.{model.__name__}"


@pytest.mark.parametrize("model", OURS, ids=label)
def test_model_belongs_to_an_organisation_or_says_why_not(model):
    if not issubclass(model, OrgOwned):
        assert GLOBAL_MODELS.get(label(model)), f"{label(model)} is neither OrgOwned nor in GLOBAL_MODELS"
        return
    assert label(model) not in GLOBAL_MODELS
    assert isinstance(model.objects, OrgManager)
    assert model._meta.default_manager_name == "all_orgs", "its Meta must extend OrgOwned.Meta"


@pytest.mark.parametrize("model", [m for m in OURS if issubclass(m, OrgOwned)], ids=label)
def test_unscoped_use_raises(model):
    for use in ("all", "count", "first", "exists"):
        with pytest.raises(UnscopedQueryError):
            getattr(model.objects, use)()
    with pytest.raises(UnscopedQueryError):
        model.objects.filter(pk=None)
    with pytest.raises(UnscopedQueryError):
        model.objects.for_org(None)


def test_global_models_exist():
    known = {label(model) for model in OURS}
    # Apps that are not here yet may be named already; those that are must be right.
    installed = {config.label for config in apps.get_app_configs()}
    stale = {name for name in GLOBAL_MODELS if name.partition(".")[0] in installed} - known
    assert not stale


def test_uses_of_the_unscoped_manager_only_shrink():
    found = {}
    for path in sorted((ROOT / "apps").rglob("*.py")):
        relative = path.relative_to(ROOT).as_posix()
        if "/migrations/" in relative or "/tests/" in relative or path.name == "admin.py":
            continue
        if uses := path.read_text().count("all_orgs"):
            found[relative] = uses
    assert found == ALL_ORGS_USES
