"""Applications, folders, secrets."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from aitbc.domains import DOMAINS
from aitbc.settings.env import BASE_DIR, env

# Where servers, keys, artifacts and sockets live.
VAR_DIR = Path(env.str("AITBC_VAR_DIR", str(BASE_DIR / "var")))
# Ed25519 signing keys of the exchange (folder, 0700).
KEYS_DIR = Path(env.str("AITBC_KEYS_DIR", str(VAR_DIR / "keys")))
# Content-addressed inputs and results above 64 KiB, when the default file storage is used.
BLOB_DIR = Path(env.str("AITBC_BLOB_DIR", str(VAR_DIR / "blobs")))
# The address clients reach us at; appears in receipts' origin and in links.
PUBLIC_URL = env.str("AITBC_URL", "http://127.0.0.1:8080")
# Comma list of the domains this process serves; empty = all (the gateway).
AITBC_SERVICES = env.str("AITBC_SERVICES", "")
# What this process is: web, worker, relay or shell. Decides deadlines of its database connections.
ROLE = env.str("AITBC_ROLE", "shell")
# Reverse proxies whose X-Forwarded-For is believed (comma list of addresses or networks).
TRUSTED_PROXIES = env.list("AITBC_TRUSTED_PROXIES", default=[])
DEBUG = env.bool("AITBC_DEBUG", False)
TESTING = env.bool("AITBC_TESTING", False)


def _run_dir() -> Path:
    """Folder for sockets: under VAR_DIR, or a short one beside it when a socket's path would pass 107 bytes."""
    path = Path(env.str("AITBC_RUN_DIR", str(VAR_DIR / "run")))
    if len(str(path)) <= 60:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"aitbc-{os.getuid()}-{digest}"


def _secret(variable: str, path: Path) -> str:
    """The variable's value, or a secret made on first use and kept in this file (0600)."""
    configured: str = env.str(variable, "")
    if configured:
        return configured
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix="secret-")  # mkstemp makes it 0600
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
            file.flush()
            os.fsync(file.fileno())
        # A link is made whole or not at all: of processes that start at once, all read the first one's secret.
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
        os.unlink(name)
    return path.read_text()


RUN_DIR = _run_dir()
SECRET_KEY = _secret("AITBC_SECRET_KEY", VAR_DIR / "secret.key")
# Under what owners' pseudonyms are made; apart from SECRET_KEY, so that rotating that one changes no pseudonym.
ALIAS_KEY = _secret("AITBC_ALIAS_KEY", KEYS_DIR / "alias.key")
ALLOWED_HOSTS = env.list("AITBC_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"])

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "aitbc.core",
    "aitbc.accounts",
    "aitbc.embedded",
    *[f"apps.{domain.label}" for domain in DOMAINS],
]
AUTH_USER_MODEL = "accounts.User"
ROOT_URLCONF = "aitbc.urls"
WSGI_APPLICATION = "aitbc.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["aitbc.formats"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(BLOB_DIR)}},
    "blobs": {
        # An S3-compatible store: AITBC_BLOB_STORAGE=storages.backends.s3.S3Storage with that package's own variables.
        "BACKEND": env.str("AITBC_BLOB_STORAGE", "aitbc.core.blobs.LocalBlobStorage"),
        "OPTIONS": env.json("AITBC_BLOB_OPTIONS", default={"location": str(BLOB_DIR)}),
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
SILENCED_SYSTEM_CHECKS = ["axes.W003"]
