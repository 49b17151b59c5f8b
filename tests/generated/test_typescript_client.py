"""TypeScript types generated from the schema compile under --strict in a program that uses them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.no_db, pytest.mark.timeout(300)]

GENERATOR = "openapi-typescript@7.13.0"
COMPILER = "typescript@5.9.3"
PROGRAM = """\
import type { components, paths } from "./aitbc";

type Created = paths["/ai/jobs"]["post"]["responses"]["201"]["content"]["application/json"];
type Refused = components["responses"]["Problem402"]["content"]["application/problem+json"];

export function describe(job: Created): string {
  const amount: string = job.payment_amount;
  const receipt: string | null = job.receipt_id;
  return `${job.id} ${job.state} ${amount} ${receipt ?? "none"}`;
}

export const detail = (problem: Refused): string => problem.detail;

// @ts-expect-error a job has no such member
export const wrong = (job: Created): string => job.colour;
"""


def npx(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["npx", "--yes", *arguments], cwd=folder, capture_output=True, text=True, timeout=240)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    if shutil.which("npx") is None:
        pytest.skip("no npx on this machine")
    for package, program in ((GENERATOR, "openapi-typescript"), (COMPILER, "tsc")):
        if npx(tmp_path, "--package", package, program, "--version").returncode:
            pytest.skip(f"{package} is not available")
    return tmp_path


def test_a_program_against_the_generated_types_compiles(tools: Path, schema: Path):
    made = npx(
        tools, "--package", GENERATOR, "--package", COMPILER, "openapi-typescript", str(schema), "-o", "aitbc.d.ts"
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (tools / "program.ts").write_text(PROGRAM)

    checked = npx(tools, "--package", COMPILER, "tsc", "--strict", "--noEmit", "--skipLibCheck", "false", "program.ts")

    assert checked.returncode == 0, checked.stdout + checked.stderr
