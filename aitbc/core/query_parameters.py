"""Which query parameters a route takes: those that its schema publishes, each of them once.

Anything else is 400, since a caller whose parameter is ignored gets an answer to another question. Legacy routes ignore
what they do not know, because the clients they are kept for send it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import QueryDict
from drf_spectacular.generators import SchemaGenerator
from rest_framework.settings import api_settings

from aitbc.core.errors import Invalid


class ParametersInvalid(Invalid):
    """The query string has a parameter that this route does not take."""

    code = "invalid"


def refuse_others(query: QueryDict, known: frozenset[str]) -> None:
    """Raise ParametersInvalid for parameters that are not known, or named more than once."""
    takes = f"known are {', '.join(sorted(known))}." if known else "this route takes none."
    errors = [
        {"field": name, "message": f"This query parameter is not known here; {takes}", "code": "unknown_parameter"}
        for name in query
        if name not in known and name != api_settings.URL_FORMAT_OVERRIDE
    ]
    errors += [
        {"field": name, "message": "Name this query parameter once.", "code": "repeated_parameter"}
        for name, values in query.lists()
        if name in known and len(values) > 1
    ]
    if errors:
        raise ParametersInvalid(f"{errors[0]['field'][:100]}: {errors[0]['message']}", errors=errors)


def is_legacy(view: Any) -> bool:
    """Whether this is a route of the legacy API: its view is marked `deprecated`, or of a `legacy` package."""
    return bool(view.deprecated) or ".legacy." in type(view).__module__


@cache
def known_parameters(callback: Callable[..., Any], method: str) -> frozenset[str]:
    """Return the query parameters that the schema publishes for this method of a route; HEAD is answered by GET."""
    shown = "GET" if method == "HEAD" else method
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]  # the view's schema lives as long as this
    view = generator.create_view(callback, shown)  # type: ignore[no-untyped-call]
    versions = {view.versioning_class.version_param} if view.versioning_class else set()
    return frozenset(view.schema.query_parameters(shown)) | versions
