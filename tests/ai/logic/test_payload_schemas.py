"""What the exchange itself says of payloads, against what the engines of the miner program take."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ai.logic.payload_schemas import SCHEMAS, fault_of
from apps.gpu.miner.engines import BadInput, Progress, declared
from apps.gpu.miner.engines.inference import _request
from apps.gpu.miner.engines.payload import content, text, texts

FILE = base64.b64encode(b"a file").decode()
FINE = [
    ("embedding", {"texts": ["a", "b"]}), ("embeddings", {"input": "a"}), ("language", {"text": "a"}),
    ("inference", {"prompt": "a"}), ("chat", {"messages": [{"role": "user", "content": "a"}]}),
    ("chat", {"messages": [{"role": "tool", "content": [{"type": "text", "text": "a"}]}]}),
    ("llm", {"model": "m", "text": "a"}), ("ocr", {"image": FILE}), ("ocr", {"data": f"data:image/png;base64,{FILE}"}),
    ("transcription", {"audio": FILE}), ("file-type", {"text": "a"}), ("classification", {"base64": FILE}),
    ("echo", {}), ("benchmark", {"size": "no number"}), ("echo", None),
]  # fmt: skip
FAULTY = [
    ("embedding", {}), ("embedding", {"texts": []}), ("embedding", {"texts": ["a", " "]}), ("language", {"text": 7}),
    ("inference", {}), ("inference", {"prompt": ""}), ("chat", {"messages": []}), ("inference", {"prompt": ["a"]}),
    ("chat", {"messages": [{"role": "", "content": "a"}]}), ("chat", {"messages": "a"}),
    ("chat", {"messages": [{"role": "user", "content": []}]}), ("chat", {"messages": [{"content": "a"}]}),
    ("ocr", {}), ("ocr", {"image": 7}), ("ocr", {"image": "no base64!"}), ("transcribe", {"audio": ""}),
    ("file-type", {"text": " "}), ("filetype", {}), ("inference", ["a"]),
]  # fmt: skip


@pytest.mark.parametrize(("task_type", "payload"), FINE)
def test_what_a_miner_may_compute_has_no_fault(task_type, payload):
    assert fault_of(task_type, payload, has_artifact=False) == ""


@pytest.mark.parametrize(("task_type", "payload"), FAULTY)
def test_what_no_miner_can_compute_has_one(task_type, payload):
    assert fault_of(task_type, payload, has_artifact=False)


@pytest.mark.parametrize("task_type", ["ocr", "transcription", "file-type"])
def test_an_artifact_takes_the_place_of_a_file_in_the_payload(task_type):
    assert fault_of(task_type, {}, has_artifact=True) == ""


def test_a_schema_is_of_an_engine_that_exists():
    known = {name for point in declared().values() for name in (point.name, *getattr(point.load(), "aliases", ()))}

    assert set(SCHEMAS) <= known


NAMES = ["texts", "text", "input", "inputs", "prompt", "messages", "image", "audio", "base64", "data"]
MESSAGES = st.fixed_dictionaries({"role": st.sampled_from(["user", "narrator"]), "content": st.text(max_size=3)})
VALUES = st.none() | st.integers() | st.text(max_size=5) | st.just(FILE) | st.lists(st.text(max_size=3) | MESSAGES)
NOTHING = Progress(lambda *_: None)
ENGINES = {
    "embedding": lambda payload: texts(payload, count=2048, limit=32_768, total=2_000_000),
    "inference": _request,
    "ocr": lambda payload: content(payload, NOTHING, "image", "base64", "data", "input", limit=1_000),
    "transcription": lambda payload: content(payload, NOTHING, "audio", "base64", "data", "input", limit=1_000),
    "file-type": lambda payload: (
        text(payload, "text", limit=1_000)
        if payload.get("text") is not None
        else content(payload, NOTHING, "base64", "data", "input", limit=1_000)
    ),
}


@given(st.sampled_from(sorted(ENGINES)), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_the_exchange_finds_no_fault_where_the_miner_program_finds_none(task_type, payload):
    try:
        ENGINES[task_type](payload)
    except BadInput:
        return
    assert fault_of(task_type, payload, has_artifact=False) == ""
