"""The product on this machine's GPU: numbers, time and memory, as one JSON line each.

    python benchmarks/card.py                     # all parts; 25 GB of disk for full-size weights
    python benchmarks/card.py demo worker         # some parts
    python benchmarks/card.py --tiny              # a trial with small networks, without a GPU

Parts: ``demo`` (the bundled family, compared with the CPU), ``golden`` (published numbers),
``full`` and ``memory`` (each published kind at full size with random weights), ``stains``
(switching), ``cellpose``, ``worker`` (the real process: cancelling, freeing, full memory) and
``training``.
Images from random weights are noise. They measure time and memory, not quality.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import traceback
from pathlib import Path

import card_demo
import card_full
import card_golden
import card_memory
import card_training
import card_worker
from card_figures import Options, say, say_machine
from random_checkpoints import FULL, TINY

PARTS = {
    "demo": card_demo.measure,
    "golden": card_golden.measure,
    "full": card_full.measure,
    "memory": card_memory.measure,
    "stains": card_full.measure_stains,
    "cellpose": card_full.measure_cellpose,
    "worker": card_worker.measure,
    "training": card_training.measure,
}
SHARED = Path(__file__).parents[2] / "shared"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--folder", type=Path, default=Path("build/card"), help="weights folder")
    parser.add_argument("--golden", type=Path, default=SHARED / "golden")
    parser.add_argument("--tissue", type=Path, help="PNG at 0.5 µm/px; default: the sample slide")
    parser.add_argument("--tiny", action="store_true", help="use small networks")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    folder = asked.folder.resolve() / ("tiny" if asked.tiny else "full")
    options = Options(TINY if asked.tiny else FULL, folder, asked.golden, asked.tissue)
    os.environ["PIXCELL_WEIGHTS"] = str(folder)
    with tempfile.TemporaryDirectory() as own:  # the user's settings and caches stay apart
        for name in ("CONFIG", "CACHE", "DATA"):
            os.environ[f"PIXCELL_{name}_DIR"] = f"{own}/{name.lower()}"
        os.environ["XDG_STATE_HOME"] = f"{own}/state"
        say_machine()
        for name in asked.parts or PARTS:
            try:
                PARTS[name](options)
            except Exception as error:  # the other parts are still worth measuring
                traceback.print_exc()
                say(name, failed=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main()
