"""Engines that misbehave, installed by the tests as a package with entry points of its own."""

import contextlib
import os
import signal
import threading

from apps.gpu.miner.engines import Progress


class Sleeper:
    """Works for ever, in rounds that can be taken up again."""

    name = "sleeper"

    def available(self) -> bool:
        return True

    def models(self) -> list[str]:
        return []

    def run(self, payload: dict, progress: Progress) -> dict:
        done = (progress.state or {}).get("done", 0)
        if payload.get("stubborn"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if done >= payload.get("enough", 10**9):
            return {"done": done}
        progress(0.5, f"pid {os.getpid()}", {"done": done + 1})
        threading.Event().wait()
        return {}


class Crasher:
    """Ends its process in the way the payload names."""

    name = "crasher"

    def available(self) -> bool:
        return True

    def models(self) -> list[str]:
        return []

    def run(self, payload: dict, progress: Progress) -> dict:
        return getattr(self, "_" + payload["how"])()

    def _abort(self) -> dict:
        os.abort()

    def _leave(self) -> dict:
        os._exit(3)

    def _bomb(self) -> dict:
        hoard = []
        while True:
            hoard.append(bytearray(16 * 2**20))

    def _flood(self) -> dict:
        return {"much": "x" * (17 * 2**20)}

    def _nan(self) -> dict:
        return {"value": float("nan")}

    def _surrogate(self) -> dict:
        return {"text": "half \ud83d", "whole": "\ud83d\ude00", "zero": "a\x00b", "\udcff": 1}

    def _huge_integer(self) -> dict:
        return {"rows": [{"count": 2**53}]}

    def _bytes(self) -> dict:
        return {"data": b"x"}

    def _keys(self) -> dict:
        return {(1, 2): "x"}

    def _numbered(self) -> dict:
        return {1: "one", None: "none"}

    def _twice(self) -> dict:
        return {1: "one", "1": "one"}

    def _nested(self) -> dict:
        found: dict = {}
        for _ in range(33):
            found = {"in": found}
        return found

    def _endless(self) -> dict:
        found: dict = {}
        found["in"] = found
        return found

    def _rubbish(self) -> dict:
        for descriptor in range(3, 20):
            with contextlib.suppress(OSError):
                os.write(descriptor, b"no report\n")
        return {}

    def _strange_words(self) -> dict:
        raise RuntimeError("half \udc80 of it \x00")

    def _chatter(self) -> dict:
        print("not part of the protocol")
        os.write(1, b"{}\n")
        return {"said": "enough"}

    def _secrets(self) -> dict:
        return {"found": sorted(name for name in os.environ if "KEY" in name), "home": os.getcwd()}


class Hanging:
    """Never says whether it is available."""

    name = "hanging"

    def available(self) -> bool:
        threading.Event().wait()
        return True


class Broken:
    """Raises when its availability is checked."""

    name = "broken"

    def available(self) -> bool:
        raise RuntimeError("no idea")
