"""Admin pages of the governance domain, one module per aggregate; Django's autodiscover imports this package only."""

from apps.governance.admin import messages  # noqa: F401
