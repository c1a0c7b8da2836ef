"""Django's settings. What an operator may change comes from the environment:

OPENBOND_STATE_DIR      the directory the server owns (default /var/lib/openbond)
OPENBOND_DATABASE_URL   postgresql://…; without it one SQLite file in the state directory
OPENBOND_TELEMETRY_URL  postgresql://… for what nodes measure; without it a schema in the database
                        above, or one more SQLite file
OPENBOND_ALLOWED_HOSTS  host names, comma-separated (default: any)
OPENBOND_PROXIES        addresses whose X-Forwarded-* headers count, comma-separated
OPENBOND_PUBLIC_URL     what links in mails begin with (default: https:// and server_hostname)
OPENBOND_CHECK_SECONDS  for laboratories: check aggregators this often, whatever their settings say
OPENBOND_OIDC_FILE      providers of single sign-on (default oidc.json in the state directory;
                        docs/guide/site.md)
OPENBOND_TUNER_NUMBERS  other numbers for tuners, e.g. sweep_seconds=5 (docs/guide/tuning.md)
"""

import os
from pathlib import Path

from openbond.server.measurement.rules.tuning import numbers_from
from openbond.server.telemetry import ALIAS as TELEMETRY

from .databases import database_settings, telemetry_settings
from .oidc import oidc_apps
from .state import read_secrets

STATE_DIR = Path(os.environ.get("OPENBOND_STATE_DIR", "/var/lib/openbond"))

_secrets = read_secrets(STATE_DIR)
SECRET_KEY = _secrets.django_key
FIELD_KEY = _secrets.field_key
SECRETS_ARE_KEPT = _secrets.are_kept

DEBUG = False
ALLOWED_HOSTS = [host for host in os.environ.get("OPENBOND_ALLOWED_HOSTS", "*").split(",") if host]
TRUSTED_PROXIES = [proxy for proxy in os.environ.get("OPENBOND_PROXIES", "").split(",") if proxy]

PUBLIC_URL = os.environ.get("OPENBOND_PUBLIC_URL", "")
CHECK_SECONDS = float(os.environ.get("OPENBOND_CHECK_SECONDS", "0"))
TUNER_NUMBERS = numbers_from(os.environ.get("OPENBOND_TUNER_NUMBERS", ""))

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "django_tasks",
    "django_tasks_db",
    "openbond.server.web",  # before allauth: its templates stand for those
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "openbond.server.project",
    "openbond.server.system",
    "openbond.server.spaces",
    "openbond.server.fleet",
    "openbond.server.qos",
    "openbond.server.ipam",
    "openbond.server.bonds",
    "openbond.server.measurement",
    "openbond.server.telemetry",
    "openbond.server.control",
]

_url = os.environ.get("OPENBOND_DATABASE_URL", "")
_own_url = os.environ.get("OPENBOND_TELEMETRY_URL", "")
DATABASES = {
    "default": database_settings(url=_url, state=STATE_DIR),
    TELEMETRY: telemetry_settings(url=_url, own_url=_own_url, state=STATE_DIR),
}
DATABASE_ROUTERS = ["openbond.server.project.routers.TelemetryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "spaces.User"
# E-mail addresses are unique ignoring case, by a constraint that this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.E003", "auth.W004"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

# API owns the order: the first three stand before everything below /api/.
MIDDLEWARE = [
    "openbond.server.api.middleware.forwarding",
    "openbond.server.api.middleware.doorway",
    "openbond.server.api.middleware.threshold",
    "openbond.server.web.middleware.SiteManners",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "openbond.server.web.middleware.SiteCsrf",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "openbond.server.project.urls"
ASGI_APPLICATION = "openbond.server.project.asgi.application"
# Streams of events, served beside Django (control/application.py).
LIVE_PAGES = "openbond.server.web.dashboard.events.LivePages"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "openbond.server.web.context.site",
            ],
        },
    }
]
AUTHENTICATION_BACKENDS = ["openbond.server.web.accounts.backend.AccountBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "account_login"

# The accounts are ours; allauth signs in, asks for the second factor and keeps the sessions.
ACCOUNT_ADAPTER = "openbond.server.web.accounts.adapters.Accounts"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]  # nobody signs up; see the adapter
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
PASSWORD_RESET_TIMEOUT = 86_400  # of a mailed link that sets one; also of a first one
# Passwords wait as those of the API do; these limit guesses at codes of six digits.
ACCOUNT_RATE_LIMITS = {"login": "", "login_failed": "5/5m/key"}
MFA_ADAPTER = "openbond.server.web.accounts.adapters.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # one step either way: RFC 6238 section 5.2
SOCIALACCOUNT_ADAPTER = "openbond.server.web.accounts.adapters.Providers"
# An account is found by the address that the provider vouches for.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# A form may post to ourselves alone, and so could not be sent on to a provider.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = ""
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": oidc_apps(Path(os.environ.get("OPENBOND_OIDC_FILE", STATE_DIR / "oidc.json"))),
    }
}
# These headers count only when a proxy of TRUSTED_PROXIES sent them: `forwarding` drops the rest.
USE_X_FORWARDED_HOST = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_SECURE = True
CSRF_FAILURE_VIEW = "openbond.server.web.faults.csrf_failed"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

SPECTACULAR_SETTINGS = {"COMPONENT_SPLIT_REQUEST": True, "POSTPROCESSING_HOOKS": []}
REST_FRAMEWORK = {"SCHEMA_COERCE_PATH_PK": False}

TASKS = {
    "default": {
        "BACKEND": "django_tasks_db.DatabaseBackend",
        "ENQUEUE_ON_COMMIT": False,
        "QUEUES": ["default", "mail"],
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en"

LOGGING_CONFIG = "openbond.server.project.logs.configure"
LOGGING = {"level": os.environ.get("OPENBOND_LOG_LEVEL", "INFO")}
