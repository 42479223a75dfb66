"""manage.py relay_key: the key with which the relays of a region report."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.orgs.models import Organization
from apps.relays.services import make_report_key


class Command(BaseCommand):
    help = "Print a new key for what a region's relays report; the one before is void from now on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("region_code")
        parser.add_argument("--org", metavar="SLUG", help="an organisation's own region, not a built-in one")

    def handle(self, *args: Any, **options: Any) -> None:
        org = None
        if slug := options["org"]:
            org = Organization.objects.filter(slug=slug).first()
            if org is None:
                raise CommandError(f"no organisation {slug!r}")
        try:
            key = make_report_key(
                org=org, actor=Actor(kind="operator", name="operator"), region_code=options["region_code"]
            )
        except NotFound:
            raise CommandError(f"no region {options['region_code']!r}") from None
        self.stdout.write(key)
