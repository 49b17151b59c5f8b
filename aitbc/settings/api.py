"""The web: middleware, the API framework, its schema, limits, sign-in."""

from datetime import timedelta
from typing import Any

from aitbc.settings.base import PUBLIC_URL, ROLE, RUN_DIR, STATIC_ROOT
from aitbc.settings.env import env

# Static files come from the packages themselves; WhiteNoise still warns when the folder for collected ones is missing.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Browsers of these origins may call the API with a key (comma list, e.g. https://console.example); none by default.
CORS_ALLOWED_ORIGINS = env.list("AITBC_CORS_ORIGINS", default=[])
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "last-event-id",
    "x-api-key",
    "x-miner-id",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "etag",
    "x-request-id",
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
]
CORS = ["corsheaders.middleware.CorsMiddleware"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    *(CORS if CORS_ALLOWED_ORIGINS else []),
    "aitbc.core.middleware.ApiMiddleware",
    "aitbc.core.hot_path.HotPathMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["aitbc.accounts.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["aitbc.core.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["aitbc.core.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["aitbc.core.renderers.FastJSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["aitbc.core.filters.SerializerFilterBackend"],
    "DEFAULT_METADATA_CLASS": "aitbc.core.metadata.DomainMetadata",
    "DEFAULT_PAGINATION_CLASS": "aitbc.core.pagination.KeysetPagination",
    "DEFAULT_THROTTLE_CLASSES": ["aitbc.core.throttling.ActorThrottle"],
    "DEFAULT_SCHEMA_CLASS": "aitbc.core.schema.DomainSchema",
    "EXCEPTION_HANDLER": "aitbc.core.problems.exception_handler",
    "UNAUTHENTICATED_USER": "aitbc.accounts.actors.Anonymous",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNICODE_JSON": True,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "AITBC",
    "DESCRIPTION": "An exchange for GPU compute: submit AI jobs, serve them with GPUs, check every receipt.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "filter": True, "persistAuthorization": True},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "format": "uuid"}},
    "SERVERS": [{"url": PUBLIC_URL}],
    # Where two enumerations are called alike, the schema needs a name for each.
    "ENUM_NAME_OVERRIDES": {
        "JobStateEnum": "apps.ai.states.JobState",
        "MinerStateEnum": "apps.gpu.states.MinerState",
        "LeaseStateEnum": "apps.gpu.states.LeaseState",
        "BookingStateEnum": "apps.marketplace.states.BookingState",
        "ExtensionStateEnum": "apps.marketplace.models.bookings.BookingExtension.State",
        "DemandStateEnum": "apps.marketplace.states.DemandState",
        "BidStateEnum": "apps.marketplace.states.BidState",
        "AccountKindEnum": "apps.trading.states.AccountKind",
        "OkEnum": ["ok"],
        "TransferCodeEnum": "apps.trading.states.Code",
        "GpuStateEnum": "apps.gpu.states.GpuState",
        "OrderStateEnum": "apps.gpu.states.CommandState",
        "BackendKindEnum": "apps.gpu.models.backends.Backend.Kind",
        "OfferStateEnum": "apps.marketplace.states.OfferState",
        "OfferKindEnum": "apps.marketplace.models.offers.MarketplaceOffer.Kind",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "aitbc.core.schema.share_problems",
        "aitbc.core.schema.order_tags",
        "aitbc.core.schema.sort_paths",
    ],
}

# Requests per ten seconds: for one owner by the strongest scope of the key, for one address without one, for all.
AITBC_LIMITS = {
    "actor": env.int("AITBC_LIMIT_ACTOR", 10_000),
    "miner": env.int("AITBC_LIMIT_MINER", 30_000),
    "operator": env.int("AITBC_LIMIT_OPERATOR", 30_000),
    "anonymous": env.int("AITBC_LIMIT_ANONYMOUS", 2_000),
    "bad_keys": env.int("AITBC_LIMIT_BAD_KEYS", 100),
    "global": env.int("AITBC_LIMIT_GLOBAL", 100_000),
}
# Only web processes share their counters on disk, for one /metrics.
METRICS_DIR = str(RUN_DIR / "metrics") if ROLE == "web" else ""
# Bodies are read by our own parser, with a limit per route; this is the largest of them and some room.
DATA_UPLOAD_MAX_MEMORY_SIZE = 17 * 1024 * 1024
FILE_UPLOAD_HANDLERS: list[str] = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Five failures for one name from one address shut that pair out for a quarter of an hour. They are counted in the
# database, so that a lost cache opens nothing.
AXES_FAILURE_LIMIT = 5
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_CALLABLE = "aitbc.core.problems.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
LOGIN_URL = "/admin/login/"

CSRF_FAILURE_VIEW = "aitbc.core.problems.forbidden"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SAMESITE = "Strict"
# Not "no-referrer": a browser would then post forms with "Origin: null", and nobody could sign in.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Set where a gateway speaks TLS for us: cookies become Secure, HSTS is sent, the proxy's scheme header is believed.
TLS = env.bool("AITBC_TLS", PUBLIC_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TLS else None
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if TLS else []

UNFOLD = {
    "SITE_TITLE": "AITBC",
    "SITE_HEADER": "AITBC",
    "SITE_SUBHEADER": "Exchange for GPU compute",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
}
