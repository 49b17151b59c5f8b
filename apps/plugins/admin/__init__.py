"""Admin pages of the plugins domain, one module per aggregate; Django's autodiscover imports this package only."""

from apps.plugins.admin import messages  # noqa: F401
