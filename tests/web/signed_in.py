"""A browser's session on the site."""

from django.test import Client

from tests.world import World


class Https(Client):
    """A client that asks by HTTPS, as every browser must: cookies are not sent otherwise."""

    def generic(self, *words: object, **more: object) -> object:  # type: ignore[override]
        more["secure"] = True
        return super().generic(*words, **more)  # type: ignore[arg-type]


def signed_in(world: World, name: str, *, checks_csrf: bool = False) -> Client:
    """Return a client that has signed in to the site as `name`."""
    client = Https(enforce_csrf_checks=checks_csrf)
    client.force_login(world.user(name))
    return client
