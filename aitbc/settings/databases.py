"""One database per domain, beside `default` for accounts, sessions and content types.

<LABEL>_DATABASE_URL wins; else DATABASE_URL's server, where the URL's path is the prefix of the database names
(…/aitbc → aitbc_gpu); else the embedded server's socket under VAR_DIR.
"""

from typing import Any
from urllib.parse import unquote

import environ

from aitbc.core.postgres.patience import patient
from aitbc.domains import LABELS
from aitbc.settings.base import ROLE, TESTING, VAR_DIR
from aitbc.settings.env import env

# (statement, lock, idle in transaction), milliseconds, by what the process is. 0 = no limit (migrations, reports).
DEADLINES = {
    "web": (2_000, 500, 5_000),
    "worker": (30_000, 500, 5_000),
    "relay": (10_000, 500, 60_000),
    "shell": (0, 5_000, 0),
    "test": (60_000, 10_000, 0),
}
# How PostgreSQL plans what miners ask for. The statements are prepared; a generic plan is right for them, at half the
# CPU (docs/performance.md). Each has its index, and queues come and go faster than statistics: believing those, a
# heartbeat read a whole table of leases that had ended.
HOT_PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
# The embedded server's URL is written here by the supervisor.
EMBEDDED_URL_FILE = VAR_DIR / "embedded" / "database.url"
POOL_SIZE = env.int("AITBC_DB_POOL", 4)


def _server_url() -> str:
    configured: str = env.str("DATABASE_URL", "")
    if configured:
        return configured
    return EMBEDDED_URL_FILE.read_text().strip() if EMBEDDED_URL_FILE.exists() else "postgresql://127.0.0.1:5432/aitbc"


def _options(label: str) -> dict[str, Any]:
    statement, lock, idle = DEADLINES["test" if TESTING else ROLE]
    flags = {
        "statement_timeout": statement,
        "lock_timeout": lock,
        "idle_in_transaction_session_timeout": idle,
        "jit": "off",
        **({"aitbc.testing": "on"} if TESTING else {}),
        **(HOT_PLANS if label == "gpu" and ROLE == "web" else {}),
    }
    options: dict[str, Any] = {
        "connect_timeout": 10 if TESTING else 2,  # twenty threads at once on a busy machine are no outage
        "tcp_user_timeout": 3_000,
        "options": " ".join(f"-c {name}={value}" for name, value in flags.items()),
        "server_side_binding": True,
        "prepare_threshold": 3,
    }
    # The others use one connection at a time.
    if ROLE in ("web", "relay") and not TESTING:
        options["pool"] = {
            "min_size": 0,
            "max_size": POOL_SIZE,
            "max_idle": 60,
            # The relay has other databases to attend to, and comes back by itself.
            "timeout": 2 if ROLE == "web" else 0.5,
            "reconnect_timeout": 2,
            # A little more than the server gives a statement: whoever says nothing for so long is not there.
            "connection_class": patient(statement / 1000 + 0.5),
        }
    return options


def _database(label: str) -> dict[str, Any]:
    own = env.str(f"{label.upper()}_DATABASE_URL", "")
    config: dict[str, Any] = environ.Env.db_url_config(own or _server_url())
    if not own:
        prefix = config["NAME"] or "aitbc"
        config["NAME"] = f"{prefix}_{label}"
    config["HOST"] = unquote(config["HOST"])  # a socket's folder comes percent-encoded
    config["ENGINE"] = "aitbc.core.postgres"
    config["OPTIONS"] = {**config.get("OPTIONS", {}), **_options(label)}
    config["CONN_MAX_AGE"] = 0 if "pool" in config["OPTIONS"] else None
    config["ATOMIC_REQUESTS"] = False
    return config


DATABASES = {label: _database(label) for label in ("default", *LABELS)}
DATABASE_ROUTERS = ["aitbc.core.routers.DomainRouter"]
