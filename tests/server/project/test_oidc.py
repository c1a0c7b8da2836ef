"""Providers of single sign-on come from a file, and a file that is wrong says how."""

import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from openbond.server.project.oidc import oidc_apps

ACME = {
    "id": "acme",
    "name": "Sign in with Acme",
    "server_url": "https://sso.acme.example/realms/main",
    "client_id": "openbond",
    "secret": "hidden",
}


def written(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "oidc.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_without_a_file_there_is_no_provider(tmp_path: Path) -> None:
    assert oidc_apps(tmp_path / "oidc.json") == []


def test_a_provider_is_given_to_the_sign_in_as_it_takes_it(tmp_path: Path) -> None:
    (app,) = oidc_apps(written(tmp_path, [ACME]))

    assert (app["provider_id"], app["client_id"], app["secret"]) == ("acme", "openbond", "hidden")
    assert app["settings"] == {"server_url": ACME["server_url"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ({}, "must hold a list of providers"),
        ([1], "each provider needs id, name"),
        ([{**ACME, "secret": ""}], "each provider needs id, name"),
        ([{**ACME, "id": "Acme/../x"}], "small letters, digits and hyphens"),
        ([{**ACME, "server_url": "http://sso.acme.example"}], "must begin with https://"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_words(
    content: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ImproperlyConfigured, match=words):
        oidc_apps(written(tmp_path, content))
