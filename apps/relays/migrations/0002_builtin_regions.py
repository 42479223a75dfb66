from django.db import migrations

REGIONS = (
    ("blr1", "Bangalore", 10),
    ("nyc1", "New York", 20),
    ("lon1", "London", 30),
    ("sfo3", "San Francisco", 40),
)


def add(apps, schema_editor):
    region = apps.get_model("relays", "BuiltinRegion")
    for code, name, priority in REGIONS:
        region.objects.create(
            region_code=code, region_name=name, hostname=f"derp-{code}.zt.net", priority=priority
        )


class Migration(migrations.Migration):
    dependencies = [("relays", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
