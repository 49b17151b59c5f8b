"""The command line of the miner: errors say what to do, and Ctrl-C ends it without a traceback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu.miner.conftest import ROOT
from tests.gpu.miner.test_devices import registered, use_library

pytestmark = pytest.mark.no_db


def program(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AITBC_")} | variables
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{folder / 'plugins'}"
    command = [sys.executable, "-m", "apps.gpu.miner", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ((), {}, "set AITBC_MINER_KEY"),
        ((), {"AITBC_MINER_KEY": "a b\n"}, "copy it again into AITBC_MINER_KEY"),
        (("--key", "schlüssel"), {}, "copy it again"),
        (("--key", "k", "--url", "exchange.example"), {}, "set AITBC_URL"),
        (("--key", "k", "--miner-id", "Köln"), {}, "correct AITBC_MINER_ID"),
        (("--key", "k", "--slots", "many"), {}, "'many' is not a whole number from 1 to 1024"),
        (("--key", "k"), {"AITBC_MINER_SLOTS": "many"}, "'many' is not a whole number from 1 to 1024"),
        (("--key", "k"), {"AITBC_MINER_MEMORY_MB": "much"}, "--memory-mb"),
        (("--key", "k", "--price", "cheap"), {}, "'cheap' is not an amount of AIT"),
        (("--key", "k", "--price", "-1"), {}, "'-1' is not an amount of AIT"),
        (("--key", "k"), {"AITBC_MINER_PRICE": "0.1234567"}, "at most six places"),
        (("--key", "k", "--state-dir", "/proc/none"), {}, "choose another with --state-dir"),
    ],
)
def test_a_wrong_setting_is_an_error_that_says_what_to_do(folder, arguments, variables, words):
    ended = program(folder, "run", *arguments, **variables)

    assert ended.returncode == 2 and words in ended.stderr and "Traceback" not in ended.stderr


def test_a_wrong_variable_spoils_no_other_command(folder):
    assert program(folder, "parked", AITBC_MINER_SLOTS="many").stdout.strip() == "[]"


@pytest.mark.parametrize("payload", ["{", "[1]", "5"])
def test_a_payload_that_is_none_is_an_error(folder, payload):
    ended = program(folder, "try", "benchmark", payload)

    assert ended.returncode == 2 and "JSON" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("option", ["--show", "--drop"])
def test_an_outcome_that_is_not_parked_is_an_error(folder, option):
    ended = program(folder, "parked", option, "../lock")

    assert ended.returncode == 2 and "no outcome of job ../lock" in ended.stderr


def test_a_driver_that_does_not_answer_is_an_error(folder):
    use_library(folder, 'install(FakeGpu(), nvmlDeviceGetCount_v2=Fault("error", 999))')
    ended = program(folder, "gpus")

    assert ended.returncode == 1 and "nvidia-smi" in ended.stderr and "Traceback" not in ended.stderr


def test_the_gpus_command_lists_slices(folder):
    use_library(folder, 'install(FakeGpu(slices=[FakeSlice("MIG-1", GIB)]))')

    assert [gpu["uuid"] for gpu in json.loads(program(folder, "gpus").stdout)["gpus"]] == ["MIG-1"]


def test_ctrl_c_drains_a_running_miner(exchange, start):
    miner = start(exchange, "--engine", "sleeper")
    registered(exchange)
    miner.send(signal.SIGINT)

    assert miner.wait() == 0 and "KeyboardInterrupt" not in miner.log.read_text()


def test_ctrl_c_ends_a_trial_without_a_traceback(folder):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'plugins'}"}
    command = [sys.executable, "-m", "apps.gpu.miner", "try", "sleeper", "{}"]
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        first = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()

    assert "pid" in first and running.returncode == 130 and "Traceback" not in rest


def test_ctrl_c_while_the_program_loads_is_silent(folder):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'plugins'}"}
    (folder / "plugins" / "httpx.py").write_text(
        "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-m", "apps.gpu.miner", "engines"]
    environment["PYTHONPATH"] = f"{folder / 'plugins'}{os.pathsep}{ROOT}"
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "loading\n"
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()

    assert running.returncode == -signal.SIGINT and rest == ""


def test_a_key_that_the_exchange_does_not_take_is_named_in_the_log(exchange, start):
    miner = start(exchange, "--engine", "sleeper", "--key", "another")
    log = wait_for(miner, "AITBC_MINER_KEY")

    assert "manage.py key create" in log and "httpx" not in log


def test_an_exchange_that_is_not_there_is_named_in_the_log(exchange, start):
    exchange.close()
    miner = start(exchange, "--engine", "sleeper")
    log = wait_for(miner, "AITBC_URL")

    assert f"no exchange answers at {exchange.url}" in log and "httpx" not in log
    miner.send(signal.SIGINT)
    assert miner.wait() == 0


def wait_for(miner, words: str) -> str:
    """Follow the log until it has these words."""
    command = ["tail", "-n", "+1", "-F", str(miner.log)]
    found = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as following:
        assert following.stdout is not None
        for line in following.stdout:
            found += line
            if words in found:
                break
        following.kill()
    return found
