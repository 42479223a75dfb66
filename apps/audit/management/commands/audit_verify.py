"""manage.py audit_verify: check the audit chains; exit code 1 if one is broken."""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.models import AuditHead
from apps.audit.verify import verify_chain


class Command(BaseCommand):
    help = "Verify the audit chain of one organisation, or of all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", type=uuid.UUID, help="id of one organisation")

    def handle(self, *args: Any, **options: Any) -> None:
        heads = AuditHead.all_orgs.order_by("org_id")
        if options["org"]:
            heads = AuditHead.objects.for_org(options["org"])
        broken = 0
        for org_id in heads.values_list("org_id", flat=True):
            verdict = verify_chain(org_id)
            state = "valid" if verdict.valid else f"BROKEN at row {verdict.first_broken}"
            broken += not verdict.valid
            self.stdout.write(f"{org_id}  {verdict.rows} rows  {verdict.head_hash}  {state}")
        if broken:
            raise CommandError(f"{broken} chain(s) broken")
