"""manage.py create_admin: a person who may open /admin."""

import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.auth.models import User, canonical_email
from apps.auth.passwords import check_strength, set_password
from apps.core.errors import InvalidInput


class Command(BaseCommand):
    help = "Make an administrator of this host, or give an existing one a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--password-file", type=Path, help="file whose first line is the password")
        source.add_argument("--generate", action="store_true", help="make a password and print it once")

    def handle(self, *args: Any, **options: Any) -> None:
        password = secrets.token_urlsafe(18)
        if options["password_file"]:
            try:
                password = options["password_file"].read_text().partition("\n")[0]
            except OSError as error:
                raise CommandError(str(error)) from None
        email = canonical_email(options["email"])
        user = User.objects.filter(email=email).first() or User(email=email, email_verified=True)
        user.is_staff = user.is_superuser = user.is_active = True
        user.failed_logins = 0
        try:
            set_password(user, check_strength(password, user))
        except InvalidInput as error:
            raise CommandError(error.message) from None
        user.save()
        self.stdout.write(f"administrator {email}")
        if options["generate"]:
            self.stdout.write(f"password {password}")
