"""Which scopes open which door; what no view names is shut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PUBLIC = "public"
Scopes = str | tuple[str, ...]


def scopes_for(view: Any) -> frozenset[str]:
    """The scopes that open the view's present action; empty = shut."""
    required: Mapping[str, Scopes] | Scopes = getattr(view, "required_scopes", {})
    named = required if not isinstance(required, Mapping) else required.get(getattr(view, "action", None) or "", ())
    return frozenset((named,) if isinstance(named, str) else named)
