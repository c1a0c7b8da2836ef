"""A provider of OpenID Connect as a program of its own, on the loopback.

python -m tests.browser.provider PORT CERTIFICATE KEY USER EMAIL
Whoever names USER is signed in as him, and the provider vouches for EMAIL.
"""

import sys

from oidc_provider_mock import User, app
from werkzeug.serving import make_server


def main() -> None:
    port, certificate, key, name, email = sys.argv[1:]
    user = User(sub=name, claims={"email": email, "email_verified": True})
    provider = app(user_claims=[user], require_nonce=False)
    ssl_context = certificate, key
    make_server("127.0.0.1", int(port), provider, ssl_context=ssl_context).serve_forever()


if __name__ == "__main__":
    main()
