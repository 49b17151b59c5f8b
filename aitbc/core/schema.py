"""OpenAPI: operation ids, summaries, tags, scopes, examples and problems of every endpoint."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, OpenApiGeneratorExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from aitbc.core.permissions import PUBLIC, scopes_for
from aitbc.core.problems import MEDIA_TYPE
from aitbc.core.schema_examples import example_of, problem_example
from aitbc.core.serializers import ProblemSerializer
from aitbc.domains import DOMAINS

LABELS = {domain.prefix: domain.label for domain in DOMAINS}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", location="header", description="The same key never does it twice; it gets the first answer."
)
REUSED = {422: OpenApiResponse(description="The Idempotency-Key was used with another body.")}
MONEY = {402: OpenApiResponse(description="The balance does not cover it; see `needed` and `available`."), **REUSED}
NOT_THERE = {404: OpenApiResponse(description="Absent, or not yours.")}
GONE = {410: OpenApiResponse(description="It has expired, or the time for it is over.")}
COMMON = {
    "400": "The request is not valid.",
    "429": "Too many requests; see Retry-After.",
    "503": "Not at the moment; see Retry-After.",
}
KEYED = {"401": "No valid key.", "403": "The key does not permit this."}
ABSENT = {"404": "Absent, or not yours."}
BODIED = {
    "409": "The state, or an Idempotency-Key in flight, forbids it.",
    "413": "Too large.",
    "415": "Not JSON, or encoded.",
}


NOTHING_LIKE_IT = SimpleNamespace(cls=object)  # matches no extension, so that all are looked at
OURS = ("apps.", "aitbc.")
OPERATORS = "(operators)"
VERBS = {
    "retrieve": "Get one", "create": "Create", "update": "Replace", "partial_update": "Change",
    "destroy": "Delete",
}  # fmt: skip


def load_extensions() -> None:
    """Import the classes that drf_spectacular's extensions are for, while one thread runs.

    Each is imported where it is first looked for, and two threads that do so at once (two first requests, whose query
    parameters are looked up in the schema) fail.
    """
    for kind in OpenApiGeneratorExtension.__subclasses__():
        kind.get_match(NOTHING_LIKE_IT)


def ignored(name: str, why: str) -> OpenApiParameter:
    """Return a query parameter that legacy clients send on a route they share with others, and that does nothing."""
    return OpenApiParameter(
        name, required=False, deprecated=True, description=f"Ignored; legacy clients send it. {why}"
    )


class DomainSchema(AutoSchema):
    """Operations named `<domain>_<resource>_<verb>`, tagged by domain, with problem+json on every one."""

    def get_tags(self) -> list[str]:
        """Return the domain, and apart from it what operators alone may call."""
        label = self._label()
        return [f"{label} {OPERATORS}" if scopes_for(self.view) == {"operator"} else label]

    def get_summary(self) -> str:
        """Return the first sentence of the action's docstring, or what its name says of the model."""
        action = self._verb()
        method = getattr(self.view, action, None)
        if method is not None and method.__module__.startswith(OURS) and (text := inspect.getdoc(method)):
            return text.split("\n")[0].split(". ")[0].rstrip(".:")
        queryset = getattr(self.view, "queryset", None)
        if action == "list" and queryset is not None:
            return f"List {queryset.model._meta.verbose_name_plural}"
        noun = self._label() if queryset is None else queryset.model._meta.verbose_name
        return f"{VERBS.get(action, action.replace('_', ' ').capitalize())} {noun}"

    def is_deprecated(self) -> bool:
        """Whether this is a route of the legacy API: as the view says, else whether it is of a `legacy` package."""
        marked = getattr(self.view, "deprecated", None)
        return ".legacy." in type(self.view).__module__ if marked is None else bool(marked)

    def get_operation_id(self) -> str:
        segments = [part for part in self.path.strip("/").split("/") if part]
        if segments and segments[0] in LABELS:
            segments = segments[1:]
        words = [
            part.removesuffix(".json").strip(".").replace("-", "_") for part in segments if not part.startswith("{")
        ]
        verb = self._verb()
        # /jobs/{id}/cancel → jobs_cancel; /jobs/{id} → jobs_retrieve
        if verb == "post" or not (words and words[-1] == verb):
            words.append(verb)
        if self._is_second_method():
            words.append(f"by_{self.method.lower()}")
        return "_".join(filter(None, [self._label(), *words])).lower()

    def _verb(self) -> str:
        action = getattr(self.view, "action", None)
        return str(action or self.method.lower())

    def _is_second_method(self) -> bool:
        """Whether this method is another way into an action that a POST opens too (legacy miners GET a poll)."""
        methods: dict[str, str] = getattr(self.view, "action_map", None) or {}
        twins = [method for method, action in methods.items() if action == self._verb()]
        return len(twins) > 1 and self.method.lower() != ("post" if "post" in twins else twins[0])

    def _label(self) -> str:
        module = type(self.view).__module__.split(".")
        if getattr(self.view, "label", ""):
            return str(getattr(self.view, "label", ""))
        return module[1] if module[0] == "apps" else "aitbc"

    def get_override_parameters(self) -> list[Any]:
        serializer = getattr(self.view, "filter_serializer", None)
        listing = serializer is not None and getattr(self.view, "action", "") == "list"
        return [*super().get_override_parameters(), *([serializer] if listing else [])]

    def query_parameters(self, method: str) -> list[str]:
        """Return the names of the query parameters that this method of the view takes (core/query_parameters.py)."""
        self.path = self.path_regex = self.path_prefix = ""
        self.method, self.registry = method, ComponentRegistry()
        return [parameter["name"] for parameter in self._get_parameters() if parameter["in"] == "query"]

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return the alternatives of the Authorization header; DRF's classes are registered as securitySchemes."""
        super().get_auth()
        if PUBLIC in scopes_for(self.view):
            return [{}]
        return [{"bearerKey": []}, {"apiKey": []}]

    def get_description(self) -> str:  # type: ignore[override]
        scopes = scopes_for(self.view)
        text = super().get_description() or ""
        if not scopes or PUBLIC in scopes:
            return str(text)
        return f"{text}\n\nScope: {' or '.join(sorted(scopes))}.".strip()

    def get_operation(self, *args: Any, **options: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **options)
        if operation is not None:
            illustrate(operation, example_of(self.view))
        return operation

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        for status, description in self._problems().items():
            responses.setdefault(status, {"description": description})
        for status, response in responses.items():
            if status >= "400" and "content" not in response:
                problem = OpenApiResponse(ProblemSerializer, description=response["description"])
                responses[status] = self._get_response_for_code(problem, status, [MEDIA_TYPE])  # type: ignore[no-untyped-call]
        return responses

    def _problems(self) -> dict[str, str]:
        problems = dict(COMMON)
        if PUBLIC not in scopes_for(self.view):
            problems |= KEYED
        if "{" in self.path:
            problems |= ABSENT
        if self.method in ("POST", "PUT", "PATCH", "DELETE"):
            problems |= BODIED
        return problems


def illustrate(operation: dict[str, Any], example: dict[str, Any]) -> None:
    """Put an example beside the JSON bodies of an operation."""
    bodies = {"request": operation.get("requestBody", {})}
    bodies["response"] = next((body for status, body in operation["responses"].items() if status < "300"), {})
    for part, body in bodies.items():
        media = body.get("content", {}).get("application/json")
        if media is not None and part in example:
            media["example"] = example[part]


def share_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Write down each kind of problem once, with an example, and refer to it from the operations."""
    shared: dict[str, Any] = {}
    for operation in (one for methods in result["paths"].values() for one in methods.values()):
        for status, response in operation["responses"].items():
            if MEDIA_TYPE not in response.get("content", {}):
                continue
            kind = f"Problem{status}"
            response["content"][MEDIA_TYPE]["example"] = problem_example(int(status), response["description"])
            shared[kind] = response
            operation["responses"][status] = {"$ref": f"#/components/responses/{kind}"}
    result["components"]["responses"] = dict(sorted(shared.items()))
    return result


def order_tags(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Describe the tags in the order in which /docs shows them: domains first, then what is for operators."""
    used = {tag for methods in result["paths"].values() for one in methods.values() for tag in one.get("tags", ())}
    titles = {domain.label: domain.title for domain in DOMAINS}
    result["tags"] = [
        {"name": tag, "description": titles.get(tag.removesuffix(f" {OPERATORS}"), "The exchange as a whole")}
        for tag in sorted(used, key=lambda tag: (tag.endswith(OPERATORS), tag))
    ]
    return result


def sort_paths(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Paths in alphabetical order, so that the committed schema changes only where the API does."""
    result["paths"] = dict(sorted(result["paths"].items()))
    return result


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names the two headers."""

    target_class = "aitbc.accounts.authentication.KeyAuthentication"
    name = ["bearerKey", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, as `manage.py key create` prints it.",
            },
            {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        ]
