"""Experiments that take no time, and may wait, fail or kill their process: for sweeps in processes of their own."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from nlkit.records import Measured


@dataclass(frozen=True)
class Deadly:
    how: str = ""
    seconds: float = 0.0
    seed: int = 0
    epochs: int = 1

    def run(self, *, steps=False):
        if log := os.environ.get("DEADLY_LOG"):
            with Path(log).open("a") as stream:
                stream.write(f"{self.seed}\n")
        if self.how == "killed":
            os.kill(os.getpid(), 9)
        if self.how == "exit":
            os._exit(7)
        if self.how == "error":
            raise RuntimeError("it broke")
        time.sleep(self.seconds)
        yield Measured(1, {"share": 0.5})
