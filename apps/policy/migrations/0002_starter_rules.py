"""Organisations that are older than rules keep what they had, by a rule that everybody sees."""

from django.db import migrations


def add_starter_rules(apps, schema_editor):
    organizations, rules = apps.get_model("orgs", "Organization"), apps.get_model("policy", "AclRule")
    for org in organizations.objects.exclude(pk__in=rules.all_orgs.values("org_id")):
        rules.all_orgs.create(
            org=org, name="Everything to everything", source="*", destination="*", priority=100_000
        )


class Migration(migrations.Migration):
    dependencies = [("policy", "0001_initial")]

    operations = [migrations.RunPython(add_starter_rules, migrations.RunPython.noop)]
