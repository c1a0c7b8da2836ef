"""Makes, lists and revokes API tokens by hand; the text of a token is shown once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from openbond.server.control.by_hand import user_of
from openbond.server.errors import InvalidFields
from openbond.server.spaces.models import ApiToken
from openbond.server.spaces.services import create_token, delete_token
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "API tokens. Use `openbond server token`."
    stealth_options = ("verb", "email", "name", "days", "read_only")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = user_of(options["email"])
        tokens = ApiToken.objects.filter(owner=owner)
        match options["verb"]:
            case "create":
                self._create(owner, options)
            case "list":
                self._list(tokens)
            case "revoke":
                self._revoke(tokens.filter(name=options["name"]).first(), options)

    def _create(self, owner: Any, options: dict[str, Any]) -> None:
        expires = timezone.now() + timedelta(days=options["days"])
        try:
            issued = create_token(
                by=COMMAND_LINE,
                owner=owner,
                name=options["name"],
                expires=expires,
                read_only=options["read_only"],
            )
        except InvalidFields as refused:
            raise CommandError(f"The token was not made: {refused}") from refused
        self.stdout.write(f"Authorization: Token {issued.text}")
        self.stderr.write(f"Shown this once. It expires on {expires:%Y-%m-%d}.")

    def _list(self, tokens: Any) -> None:
        for token in tokens:
            kind = "read only" if token.read_only else "full"
            used = f"{token.last_used:%Y-%m-%d}" if token.last_used else "never"
            line = f"{token.name}\t{kind}\texpires {token.expires:%Y-%m-%d}\tlast used {used}"
            self.stdout.write(line)

    def _revoke(self, token: ApiToken | None, options: dict[str, Any]) -> None:
        if token is None:
            raise CommandError(f"{options['email']} has no token named {options['name']!r}.")
        delete_token(by=COMMAND_LINE, token=token)
        self.stdout.write(f"Token {options['name']!r} is revoked.")
