"""Where datasets are made: in the window's model process, in processes beside it, on a cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from napari_pixcell.cluster.extra import what_is_missing
from napari_pixcell.cluster.settings import ClusterSettings
from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import preference, set_preference
from napari_pixcell.words import counted

HERE, PROCESSES, CLUSTER = "here", "processes", "cluster"
PLACES = {
    HERE: "in this window's model process",
    PROCESSES: "in own processes",
    CLUSTER: "on a cluster",
}
PREFERENCE = "dataset place"
MOST_PROCESSES = 256
SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")  # of Dask's schedulers
NO_CLUSTER = "Choose a cluster file, or enter the address of a scheduler"
PATIENCE = 10.0  # seconds for the driver to name its GPUs


@dataclass
class DatasetPlace:
    """Where datasets are made; ``place.events`` signals changes.

    Parameters
    ----------
    where : str
        One of ``PLACES``.
    processes : int
        Their number, where no GPUs are chosen.
    gpus : str
        Numbers of the GPUs to use, separated by commas: one process for each. Empty for all but
        the first, which stays with the window.
    cluster : str
        Path of a cluster file, or address of a scheduler.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    where: str = HERE
    processes: int = 2
    gpus: str = ""
    cluster: str = ""

    @classmethod
    def remembered(cls) -> DatasetPlace:
        """Return the place that was chosen last."""
        place, values = cls(), preference(PREFERENCE, {})
        if not isinstance(values, dict):
            return place
        for name, default in asdict(place).items():
            value = values.get(name)
            if type(value) is type(default):
                setattr(place, name, value)
        if place.where not in PLACES or not 1 <= place.processes <= MOST_PROCESSES:
            return cls()
        return place

    def remember(self) -> None:
        """Store the choice. Raises PixCellError if the configuration folder is not writable."""
        set_preference(PREFERENCE, asdict(self))

    @property
    def outside(self) -> bool:
        """Whether processes beside the window make the dataset."""
        return self.where != HERE

    def why_not(self, gpus: Sequence[str]) -> str:
        """Return what is missing, without a full stop; ``gpus`` are those of this machine."""
        if self.where == CLUSTER:
            return self._no_cluster()
        if self.where == PROCESSES and len(gpus) > 1:
            numbers = self.gpus.replace(" ", "").split(",") if self.gpus.strip() else []
            if not all(number.isdecimal() and int(number) < len(gpus) for number in numbers):
                known = ", ".join(map(str, range(len(gpus))))
                return f"“{self.gpus[:40]}” are no GPUs of this machine. Use some of: {known}"
        return ""

    def options(self, gpus: Sequence[str]) -> list[str]:
        """Return the options of ``napari-pixcell dataset`` for this place.

        Raises
        ------
        PixCellError
            If something is missing.
        """
        problem = self.why_not(gpus)
        if problem:
            raise PixCellError(f"{problem.removesuffix('.')}.")
        if self.where == CLUSTER:
            name = "--scheduler" if self._is_address else "--cluster"
            return [name, self.cluster.strip()]
        if self.where == PROCESSES:
            if len(gpus) > 1:
                return ["--gpus", ",".join(map(str, self.chosen(gpus)))]
            return ["--workers", str(self.processes)]
        return []

    def chosen(self, gpus: Sequence[str]) -> list[int]:
        """Return the numbers of the GPUs that are used: by default all but the first."""
        numbers = [int(number) for number in self.gpus.split(",") if number.strip().isdecimal()]
        return list(dict.fromkeys(numbers)) or list(range(1, len(gpus)))

    def words(self, gpus: Sequence[str]) -> str:
        """Return what the choice means, in one or two sentences; empty if that is plain."""
        if self.where == HERE:
            return ""
        if self.why_not(gpus):
            return f"{self.why_not(gpus).removesuffix('.')}."
        goes_on = "It continues when this window is closed."
        if self.where == CLUSTER:
            return f"Nodes must see the folder under the same path. {goes_on}"
        if len(gpus) < 2:
            shared = "The processes share the GPU with this window. " if gpus else ""
            return f"{shared}{goes_on}"
        chosen = self.chosen(gpus)
        used = counted(len(chosen), "process", "processes")
        numbers = ", ".join(map(str, chosen))
        kept = "which this window uses too" if 0 in chosen else "GPU 0 stays with this window"
        noun = "GPU" if len(chosen) == 1 else "GPUs"
        return f"{used} on {noun} {numbers}; {kept}. {goes_on}"

    @property
    def _is_address(self) -> bool:
        return self.cluster.strip().startswith(SCHEMES)

    def _no_cluster(self) -> str:
        lacking, text = what_is_missing(), self.cluster.strip()
        if lacking or not text:
            return lacking.removesuffix(".") or NO_CLUSTER
        if self._is_address:
            return ""
        path = Path(text)
        if not path.is_absolute() or not path.is_file():
            return f"“{path.name[:60]}” is no file and no address such as tcp://host:8786"
        try:
            ClusterSettings.load(path)
        except PixCellError as error:
            return str(error).removesuffix(".")
        return ""


def find_gpus() -> list[str]:
    """Return the names of the GPUs that CUDA offers, by asking its driver. It may take a second."""
    with suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        names = [line.strip() for line in listed.stdout.decode().splitlines() if line.strip()]
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is None:
            return names
        numbers = [number.strip() for number in visible.split(",") if number.strip()]
        return [
            names[int(number)] if number.isdecimal() and int(number) < len(names) else number
            for number in numbers
        ]
    return []
