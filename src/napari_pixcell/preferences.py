"""All settings of the user: environment variables, and a small JSON file between sessions.

:data:`SETTINGS` lists each of them once, with its default. The file ``preferences.json`` is in
the configuration folder.
"""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import config_folder
from napari_pixcell.untrusted import parse_json, read_bounded

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 2**20
DAMAGED_SUFFIX = ".damaged"  # of a file that was set aside, so that nothing in it is lost


@dataclass(frozen=True, kw_only=True)
class UserSetting:
    """A value that users can set.

    Parameters
    ----------
    meaning : str
        What it sets, in one or two sentences.
    variable : str
        Environment variable, which comes first. Empty if there is none.
    name : str
        Key in ``preferences.json``. Empty if there is none.
    page : (group, key), optional
        Its place on the plugin's page in napari's preferences, see ``napari.yaml``.
    default : float, bool, str or None
        Value if it is not set: a text where it depends on the machine.
    unit : str
        Unit of a number.
    """

    meaning: str
    variable: str = ""
    name: str = ""
    page: tuple[str, str] | None = None
    default: float | bool | str | None = None
    unit: str = ""

    @property
    def number(self) -> float:
        """The default of a number."""
        assert isinstance(self.default, int | float)
        return float(self.default)


IDLE = UserSetting(
    name="idle minutes",
    page=("memory", "idle_minutes"),
    default=20,
    unit="min",
    meaning="Models are unloaded after this time without a request. 0 keeps them loaded.",
)
SLIDES_CACHE = UserSetting(
    variable="PIXCELL_SLIDES_MB",
    name="slides cache MB",
    page=("memory", "slides_mb"),
    default=256,
    unit="MB",
    meaning="Memory for decoded tiles of slides.",
)
EMBEDDINGS = UserSetting(
    variable="PIXCELL_EMBEDDINGS_MB",
    name="embeddings MB",
    page=("memory", "embeddings_mb"),
    default=200,
    unit="MB",
    meaning="Disk space for embeddings in the cache folder. 0 stores none.",
)
RESULTS = UserSetting(
    variable="PIXCELL_RESULTS_MB",
    name="results MB",
    page=("memory", "results_mb"),
    default=512,
    unit="MB",
    meaning="Memory for variants. Above it, the oldest without a star move to disk.",
)
RESULTS_DISK = UserSetting(
    variable="PIXCELL_RESULTS_DISK_MB",
    name="results disk MB",
    default=2048,
    unit="MB",
    meaning="Disk space for variants that moved there. Above it, the oldest are deleted.",
)
PICTURE = UserSetting(
    variable="PIXCELL_PICTURE_MB",
    name="picture MB",
    page=("memory", "picture_mb"),
    default=256,
    unit="MB",
    meaning="Largest image in memory, three bytes a pixel. Larger ones are generated on disk.",
)
PREVIEWS = UserSetting(
    name="previews",
    page=("studio", "previews"),
    default=True,
    meaning="Show each image as it sharpens during generation.",
)
SAVE_SESSIONS = UserSetting(
    variable="PIXCELL_SESSIONS",
    name="save sessions",
    page=("studio", "save_sessions"),
    default=True,
    meaning="Save sessions automatically. The variable switches this off with 0.",
)
COMPILE = UserSetting(
    variable="PIXCELL_COMPILE",
    name="compile",
    page=("studio", "compile"),
    default=False,
    meaning="Compile the transformer's blocks, which needs a compiler. The variable switches this "
    "on with 1.",
)
LANGUAGE = UserSetting(
    name="language",
    page=("studio", "language"),
    default="en",
    meaning="Language of the studio: en or de.",
)
WEIGHTS = UserSetting(
    variable="PIXCELL_WEIGHTS",
    name="weights folder",
    meaning="Folder of weights that is searched before the hub's cache.",
)
DEVICE = UserSetting(
    variable="PIXCELL_DEVICE",
    default="the best one",
    meaning="Device of the networks: cpu, cuda, cuda:1 or mps. Set by --device.",
)
SCHEDULER_TIMEOUT = UserSetting(
    variable="PIXCELL_SCHEDULER_TIMEOUT",
    default=30,
    unit="s",
    meaning="How long dataset make waits for the scheduler of a cluster.",
)

OWN = "the plugin's folder of your user"
SETTINGS = (
    IDLE,
    SLIDES_CACHE,
    EMBEDDINGS,
    RESULTS,
    RESULTS_DISK,
    PICTURE,
    PREVIEWS,
    SAVE_SESSIONS,
    COMPILE,
    LANGUAGE,
    WEIGHTS,
    DEVICE,
    SCHEDULER_TIMEOUT,
    UserSetting(
        variable="PIXCELL_CONFIG_DIR",
        default=OWN,
        meaning="Configuration folder: preferences, own families, saved styles.",
    ),
    UserSetting(
        variable="PIXCELL_CACHE_DIR",
        default=OWN,
        meaning="Cache folder: embeddings, unfinished large images, variants on disk, samples.",
    ),
    UserSetting(
        variable="PIXCELL_DATA_DIR",
        default=OWN,
        meaning="Data folder: sessions of slides in read-only folders, own stains and controls, "
        "embeddings of the real tissue of datasets.",
    ),
    UserSetting(
        variable="PIXCELL_CMU1_URL",
        default="OpenSlide's test data",
        meaning="Address from which the sample CMU-1-Small-Region is downloaded, such as a mirror.",
    ),
    UserSetting(
        variable="PIXCELL_SHARED",
        default="../shared",
        meaning="Folder of tissue that tests, benchmarks and training read, in a checkout only.",
    ),
    UserSetting(
        name="dataset place",
        meaning="Who made the last dataset: this window, processes or a cluster. Kept by the dock.",
    ),
    UserSetting(
        name="memory settings",
        meaning="How each family fitted into memory last. Kept by the worker.",
    ),
    UserSetting(
        name="compile failed",
        meaning="Why compilation was skipped last. Kept by the worker, shown by doctor.",
    ),
    UserSetting(
        variable="PIXCELL_DETACHED",
        meaning="The run of a process that dataset make --detach started. Set by the program only.",
    ),
    UserSetting(
        variable="PIXCELL_LOG_FILE",
        meaning="File to which worker processes add their steps. Set by --log-file only.",
    ),
    UserSetting(
        variable="PIXCELL_QUIET", meaning="Worker processes print only errors. Set by --quiet only."
    ),
    UserSetting(
        variable="NAPARI_PIXCELL_DEMO_CLOSE",
        meaning="The demo closes its window when it is done, if set.",
    ),
)
# Variables of other programs that the package reads as well.
FOREIGN = (
    UserSetting(
        variable="CELLPOSE_LOCAL_MODELS_PATH",
        default="~/.cellpose/models",
        meaning="Cellpose: its folder of weights, which is searched too.",
    ),
    UserSetting(
        variable="HF_ENDPOINT",
        default="the public hub",
        meaning="huggingface_hub: address of the hub, such as a mirror.",
    ),
    UserSetting(
        variable="HF_HUB_OFFLINE", meaning="huggingface_hub: no download is attempted, if it is 1."
    ),
    UserSetting(
        variable="HF_HOME",
        default="~/.cache/huggingface",
        meaning="huggingface_hub: folder of its cache, where downloaded weights are.",
    ),
    UserSetting(
        variable="HF_TOKEN",
        meaning="huggingface_hub: your access token for gated weights, instead of a login.",
    ),
    UserSetting(
        variable="CUDA_VISIBLE_DEVICES",
        meaning="CUDA: numbers of the GPUs that may be used. --gpus counts within them.",
    ),
    UserSetting(
        variable="OMP_NUM_THREADS",
        default="all cores",
        meaning="OpenMP: threads of one process on the CPU. Pixels depend on it by rounding.",
    ),
    UserSetting(
        variable="QT_API", meaning="qtpy: Qt binding, pyqt6 or pyside6, if both are installed."
    ),
    UserSetting(
        variable="DISPLAY", meaning="X11: display of the window; the demo starts Xvfb without one."
    ),
    UserSetting(variable="WAYLAND_DISPLAY", meaning="Wayland: likewise."),
    UserSetting(
        variable="TERM",
        meaning="Terminal: progress is printed line by line if it is dumb or unknown.",
    ),
)


def preference(name: str, default: Any = None) -> Any:
    """Return a setting, or the default if it was never set or the file cannot be read."""
    return _read().get(name, default)


def set_preference(name: str, value: Any) -> None:
    """Store a setting, which may be any JSON value.

    A damaged file is kept beside the new one.

    Raises
    ------
    PixCellError
        If the configuration folder is not writable.
    """
    path = _path()
    try:
        private_folder(path.parent)
        set_aside_damaged(path, problem())
        write_whole(path, json.dumps(_read() | {name: value}, indent=1), private=True)
    except OSError as error:
        raise PixCellError(
            f"The setting cannot be saved ({error.strerror}). Make the configuration folder "
            "writable, or set PIXCELL_CONFIG_DIR to another folder."
        ) from error


def problem() -> str:
    """Return what is wrong with the file of settings, or an empty string."""
    return read_settings(_path())[1]


def read_settings(path: Path) -> tuple[dict[str, Any], str]:
    """Read a file of settings, and what is wrong with it in one sentence.

    A missing file is empty. A damaged one is empty too, so that it stops nothing.
    """
    try:
        if not os.path.lexists(path):
            return {}, ""
        data = read_bounded(path, MOST_BYTES, "file of settings")
        values = parse_json(data, path.name, "Correct or remove it.", lenient=True)
    except PixCellError as error:
        return {}, f"Settings are not used: {error}"
    if not isinstance(values, dict):
        return {}, f"Settings are not used: “{path.name}” holds no settings. Remove it."
    return values, ""


def warned(values: dict[str, Any], problem: str) -> dict[str, Any]:
    """Return the values of :func:`read_settings`, and log what is wrong once."""
    if problem:
        _warn(problem)
    return values


@cache
def _warn(problem: str) -> None:
    log.warning("%s", problem)


def set_aside_damaged(path: Path, problem: str) -> None:
    """Rename a damaged file of settings before a new one takes its place.

    Raises
    ------
    OSError
        If it cannot be renamed.
    """
    if problem and path.is_file():
        path.replace(path.with_name(path.name + DAMAGED_SUFFIX))


def as_number(value: Any) -> float | None:
    """Return a setting as a finite number, or None if it is none."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def idle_minutes() -> float:
    """Return the minutes without a request after which models are unloaded; 0 means never."""
    value = as_number(preference(IDLE.name))
    return value if value is not None and value >= 0 else IDLE.number


def set_idle_minutes(minutes: float) -> None:
    """Store the idle time in minutes; a running worker applies it from its next request."""
    set_preference(IDLE.name, minutes)


def megabytes(setting: UserSetting) -> int:
    """Return a limit in bytes that users set in megabytes.

    The environment variable comes first, then the preference, then the default. Values that are
    not a number of megabytes are ignored.
    """
    for value in (os.environ.get(setting.variable), preference(setting.name)):
        number = as_number(value)
        if number is not None and 0 <= number < 1e9:
            return int(number * 10**6)
    return int(setting.number * 10**6)


def compile_wanted() -> bool:
    """Whether to compile the transformer's blocks; ``PIXCELL_COMPILE`` comes first."""
    return _switch(COMPILE)


def wanted_device() -> str:
    """Name of the device that ``PIXCELL_DEVICE`` chooses for networks; empty for the best one."""
    return os.environ.get(DEVICE.variable, "")


def sessions_wanted() -> bool:
    """Whether sessions are saved automatically; ``PIXCELL_SESSIONS`` comes first."""
    return _switch(SAVE_SESSIONS)


def _switch(setting: UserSetting) -> bool:
    value = os.environ.get(setting.variable)
    if value is not None:
        return value not in ("", "0")
    return bool(preference(setting.name, setting.default))


def _path() -> Path:
    return config_folder() / "preferences.json"


def _read() -> dict[str, Any]:
    return warned(*read_settings(_path()))
