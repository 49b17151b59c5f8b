"""README.md and docs/*.md, read by a machine: every command in them is run as written, against a fresh exchange."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, commands
from tests.torture.stack import Stack

# What is run, and what is shown: output and diagrams (text, mermaid), settings (toml), code (python).
LANGUAGES = {"sh", "text", "mermaid", "toml", "python"}
PROGRAMS = ("$ ", "aitbc ", "aitbc-miner ", "manage.py", "make ", "curl ", "pip ", ".venv/bin/", "export ", "source ")
WITH_COMMANDS = [page for page in PAGES if commands(page).strip()]
PAGE_SECONDS = 240
pytestmark = pytest.mark.xdist_group("docs")  # one exchange for all pages


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.no_db
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_is_run_or_is_no_command(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"``` {block.language!r}: {block.text[:80]}"
        if block.language == "text":
            hidden = [line for line in block.text.splitlines() if line.startswith(PROGRAMS)]
            assert not hidden, f"commands marked as output: {hidden}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that looks like a checkout in which `make up` runs, with a `var/` of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    for entry in ROOT.iterdir():
        if entry.name not in ("var", ".venv", ".git"):
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "var").mkdir(mode=0o755)
    stack = Stack(folder / "var", AITBC_PARAMS='{"log.seal_interval_s": 2}')
    stack.fund("100")
    try:
        yield folder
    finally:
        left = stack.stop()
    assert left == [], f"stopping left processes behind: {left}"


@pytest.mark.slow
@pytest.mark.no_db
@pytest.mark.timeout(PAGE_SECONDS + 240)
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_the_commands_of_a_page_work_as_written(checkout: Path, page: Path) -> None:
    script = f"set -euo pipefail\nsource .venv/bin/activate\nsource var/dev.env\n{commands(page)}\n"
    own = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    inherited = {name: text for name, text in os.environ.items() if name not in own and not name.startswith("AITBC")}
    environment = {**inherited, "AITBC_VAR_DIR": str(checkout / "var"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=checkout, env=environment, capture_output=True, text=True, timeout=PAGE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    if page.name == "README.md":
        assert done.stdout.rstrip().endswith("VERIFIED")
