"""manage.py relay_regions: name the built-in relay regions."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apps.relays.models import BuiltinRegion
from apps.relays.services import replace_builtin


class Command(BaseCommand):
    help = "Replace the built-in relay regions by those of a JSON file: a list of objects."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            entries = json.loads(options["file"].read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['file']}: {error}") from None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CommandError(f"{options['file']}: expected a list of objects")
        try:
            changed = replace_builtin(entries)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(f"{BuiltinRegion.objects.count()} regions, {changed} changed")
