"""Ways in without a password: a passkey, and single sign-on by a provider of OpenID Connect."""

import base64
import hashlib
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor
from tests.chromium import find_chromium, open_chromium
from tests.control.live import PASSWORD, PATIENCE_SECONDS, LiveServer, free_port
from tests.node.authority import Authority

EMAIL = "admin@localhost"
ANA = "ana@acme.example"
PROVIDER_NAME = "Sign in with Acme"
# What a phone or a laptop has: it keeps passkeys, and knows its owner by finger or face.
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[str]:
    """The address of a provider that vouches for Ana."""
    directory, port = tmp_path_factory.mktemp("provider"), free_port()
    words = [str(port)]
    for name, pem in zip(("pem", "key"), authority.server_certificate("127.0.0.1"), strict=True):
        (directory / f"provider.{name}").write_text(pem)
        words.append(str(directory / f"provider.{name}"))
    argv = [sys.executable, "-m", "tests.browser.provider", *words, "acme-7", ANA]
    running = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    wait_until_listening(port)
    yield f"https://127.0.0.1:{port}"
    running.terminate()
    running.wait()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, provider: str, authority: Authority
) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("server")
    ca, providers = directory / "acme-ca.pem", directory / "oidc.json"
    ca.write_text(authority.ca_pem)
    acme = {"id": "acme", "name": PROVIDER_NAME, "server_url": provider}
    providers.write_text(json.dumps([{**acme, "client_id": "openbond", "secret": "not guessed"}]))
    environment = {"OPENBOND_OIDC_FILE": str(providers), "REQUESTS_CA_BUNDLE": str(ca)}
    made = LiveServer(state=directory / "state", environment=environment)
    made.start()
    with made.client() as api:
        ana = {"email": ANA, "space": "/api/v3/spaces/1/"}
        answer = api.post("/api/v3/users/", auth=httpx.BasicAuth(EMAIL, PASSWORD), json=ana)
    assert answer.status_code == 201, answer.text
    yield made
    made.terminate()


@pytest.fixture(scope="module")
def browser(server: LiveServer) -> Iterator[Browser]:
    """One that takes the server's certificate for good: with a bad one no passkey is used."""
    trusted = f"--ignore-certificate-errors-spki-list={public_key_hash(server.port)}"
    with open_chromium(find_chromium(), trusted) as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, server: LiveServer) -> Iterator[Visitor]:
    """Somebody who calls the server by a name, as passkeys want it."""
    visitor = Visitor(browser, f"https://localhost:{server.port}")
    # The provider's pages would have their style sheet from elsewhere.
    visitor.context.route(re.compile(r"^https://cdn\."), lambda route: route.abort())
    yield visitor
    visitor.close()


def wait_until_listening(port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the provider did not start")


def public_key_hash(port: int) -> str:
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_a_passkey_is_registered_and_signs_in_alone(visitor: Visitor) -> None:
    device = visitor.context.new_cdp_session(visitor.page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page = visitor.page
    visitor.go("/account/two-factor/")
    visitor.sign_in(EMAIL, PASSWORD)
    page.get_by_role("region", name="Passkeys and security keys").get_by_role("link").click()
    visitor.fill(password=PASSWORD)
    visitor.press("Go on")
    visitor.fill(name="My laptop")
    page.get_by_label("It signs in alone").check()
    visitor.press("Add")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    visitor.go("/account/two-factor/webauthn/")
    expect(page.get_by_role("row", name="My laptop")).to_contain_text("alone (passkey)")
    visitor.sign_out()

    visitor.press("Use a passkey")

    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    assert visitor.complaints == []


def test_a_provider_vouches_for_the_address_of_an_account(visitor: Visitor) -> None:
    visitor.go("/account/")
    visitor.page.get_by_role("link", name=PROVIDER_NAME).click()
    visitor.fill(sub="acme-7")
    visitor.press("Authorize")

    expect(visitor.page.get_by_role("main")).to_contain_text(ANA)
    assert visitor.page.url.endswith("/account/")


def test_a_provider_opens_no_account_that_is_not_here(visitor: Visitor) -> None:
    visitor.go("/bonds/")
    visitor.page.get_by_role("link", name=PROVIDER_NAME).click()
    visitor.fill(sub="somebody else")
    visitor.press("Authorize")

    expect(visitor.page.get_by_role("heading", name="No such account")).to_be_visible()
    visitor.go("/bonds/")
    expect(visitor.page.locator("[name=password]")).to_be_visible()
