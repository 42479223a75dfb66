"""The admin: every model is there, can be searched, shows no secret and changes nothing by itself."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from apps.audit.models import AuditLog
from apps.auth.models import ApiKey, Session, User
from apps.core.tenancy import OrgOwned
from apps.orgs.models import IdpGroup, IdpGroupMember

OURS = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
ids = [f"{model._meta.app_label}.{model.__name__}" for model in OURS]


@pytest.fixture
def staff(cast):
    User.objects.filter(pk=cast.alice.user.pk).update(is_staff=True, is_superuser=True)
    cast.alice.client.defaults.pop("HTTP_AUTHORIZATION")
    cast.alice.client.force_login(User.objects.get(pk=cast.alice.user.pk))
    return cast.alice.client


@pytest.mark.parametrize("model", OURS, ids=ids)
def test_every_model_is_listed_searched_and_filtered(model, staff, canaries):
    shown = admin.site._registry[model]
    assert shown.search_fields
    if issubclass(model, OrgOwned):
        assert "org" in shown.list_filter
    label = f"{model._meta.app_label}_{model._meta.model_name}"
    listing = reverse(f"admin:{label}_changelist")
    pages = [staff.get(listing), staff.get(listing, {"q": "x"})]
    if row := model._default_manager.first():
        pages.append(staff.get(reverse(f"admin:{label}_change", args=[row.pk])))
    for page in pages:
        assert page.status_code == 200
        assert f"secret-{canaries}" not in page.content.decode()


def test_the_trail_can_only_be_read(staff, canaries):
    row = AuditLog.all_orgs.first()
    assert staff.get(reverse("admin:audit_auditlog_add")).status_code == 403
    assert (
        staff.post(reverse("admin:audit_auditlog_change", args=[row.pk]), {"action": "x"}).status_code == 403
    )
    assert (
        staff.post(reverse("admin:audit_auditlog_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    )
    body = {"action": "delete_selected", "_selected_action": [row.pk]}
    staff.post(reverse("admin:audit_auditlog_changelist"), body)
    assert AuditLog.all_orgs.filter(pk=row.pk, action=row.action).exists()


def test_a_dangerous_action_asks_first_and_is_told(staff, cast, canaries):
    key = ApiKey.objects.for_org(cast.org_a).get()
    url = reverse("admin:ztna_auth_apikey_changelist")
    body = {"action": "revoke", "_selected_action": [str(key.pk)]}
    asked = staff.post(url, body)
    assert "Revoke these keys" in asked.content.decode()
    key.refresh_from_db()
    assert not key.revoked
    staff.post(url, {**body, "confirmed": "yes"})
    key.refresh_from_db()
    assert key.revoked
    assert AuditLog.objects.for_org(cast.org_a).latest("seq").actor_kind == "operator"


def test_signing_out_ends_the_sessions(staff, cast, canaries):
    url = reverse("admin:ztna_auth_user_changelist")
    body = {"action": "sign_out", "_selected_action": [str(cast.bob.user.pk)], "confirmed": "yes"}
    staff.post(url, body)
    assert Session.objects.get(pk=cast.bob.session.pk).ended_at
    assert not Session.objects.get(pk=cast.charlie.session.pk).ended_at


def test_groups_of_people_are_taken_apart_on_record(staff, cast, canaries):
    for model in (IdpGroupMember, IdpGroup):
        row = model.objects.for_org(cast.org_a).get()
        url = reverse(f"admin:orgs_{model._meta.model_name}_changelist")
        body = {"action": "remove", "_selected_action": [str(row.pk)]}
        staff.post(url, body)
        assert model.objects.for_org(cast.org_a).exists()
        staff.post(url, {**body, "confirmed": "yes"})
        assert not model.objects.for_org(cast.org_a).exists()
    trail = AuditLog.objects.for_org(cast.org_a).filter(action__startswith="idp_group.").order_by("seq")
    assert [(row.action, row.actor_kind) for row in trail] == [
        ("idp_group.updated", "operator"),
        ("idp_group.deleted", "operator"),
    ]
