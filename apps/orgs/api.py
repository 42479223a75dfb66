"""`/api/user-orgs`, `/api/org-management` and the tables of organisations."""

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, CallView, Operation
from apps.orgs import services
from apps.orgs.models import Organization, OrgMember


class CreateInput(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    slug = serializers.CharField(max_length=63, required=False)


def _create(call: Call) -> Answer:
    org = services.create_organization(
        user=call.principal.subject, actor=call.actor, name=call.data["name"], slug=call.data.get("slug")
    )
    data = {
        "id": org.pk,
        "name": org.name,
        "slug": org.slug,
        "domain": f"{org.slug}.zt.net",
        "role": "owner",
    }
    return Answer(data, status=201)


class OrgManagement(ActionView):
    topic = "org-management"
    actions = (Operation("create", "S", _create, CreateInput),)


class OrganizationWrite(serializers.ModelSerializer):
    class Meta:
        model = Organization
        fields = ("name", "domain")


class OrganizationsTable(TableView):
    table = "organizations"
    model = Organization
    columns = (
        *(Column(name) for name in ("id", "slug", "lockdown_mode", "ipv6_prefix", "created_at")),
        Column("name", write="A"),
        Column("domain", write="A"),
    )
    default_order = ("name",)
    update = "A"
    serializer = OrganizationWrite
    instead = {"insert": "Use POST /api/org-management {action: create}"}

    @classmethod
    def org_id_of_row(cls, row_id):
        return row_id

    def update_row(self, call, row, values):
        services.update_organization(org=row, actor=call.actor, values=values)


def _user_orgs(call: Call) -> list:
    members = OrgMember.all_orgs.filter(user_id=call.principal.id, status="active").select_related("org")
    return [
        {"id": m.org.pk, "name": m.org.name, "slug": m.org.slug, "domain": m.org.domain, "role": m.role}
        for m in members
    ]


class UserOrgs(CallView):
    path = "user-orgs"
    calls = {"GET": Operation("user-orgs", "S", _user_orgs)}
