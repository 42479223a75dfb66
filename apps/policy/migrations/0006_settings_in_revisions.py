"""What plans changed of settings stood in their reports; it belongs to what the revision changed."""

from django.db import migrations


def move_settings(apps, schema_editor):
    plans, revisions = apps.get_model("policy", "ChangePlan"), apps.get_model("policy", "PolicyRevision")
    settings = dict(apps.get_model("orgs", "OrgSettings").all_orgs.values_list("org_id", "pk"))
    for plan in plans.all_orgs.exclude(applied_version=None):
        before = plan.report.get("settings_before")
        revision = revisions.all_orgs.filter(org_id=plan.org_id, revision=plan.applied_version).first()
        if before and revision is not None:
            after = {name: plan.changes["settings"][name] for name in before}
            changed = {"table": "settings", "id": str(settings[plan.org_id]), "before": before, "after": after}
            revision.changes = [*revision.changes, changed]
            revision.save(update_fields=["changes"])


class Migration(migrations.Migration):
    dependencies = [("policy", "0005_unresolved_attributes"), ("orgs", "0005_four_eyes_and_flow_logs")]

    operations = [migrations.RunPython(move_settings, migrations.RunPython.noop)]
