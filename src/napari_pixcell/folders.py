"""Where the plugin keeps its settings and caches; each can be moved by the environment."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir, user_config_dir, user_data_dir


def config_folder() -> Path:
    """Give the folder of settings; ``PIXCELL_CONFIG_DIR`` names another."""
    named = os.environ.get("PIXCELL_CONFIG_DIR")
    return Path(named or user_config_dir("napari-pixcell"))


def cache_folder() -> Path:
    """Give the folder of what can be made again; ``PIXCELL_CACHE_DIR`` names another."""
    named = os.environ.get("PIXCELL_CACHE_DIR")
    return Path(named or user_cache_dir("napari-pixcell"))


def data_folder() -> Path:
    """Give the folder of what the user made here; ``PIXCELL_DATA_DIR`` names another."""
    named = os.environ.get("PIXCELL_DATA_DIR")
    return Path(named or user_data_dir("napari-pixcell"))
