"""Admin pages of the openclaw domain, one module per aggregate; Django's autodiscover imports this package only."""

from apps.openclaw.admin import messages  # noqa: F401
