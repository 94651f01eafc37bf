"""Folders of settings, caches and user data; environment variables can move each of them."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir, user_config_dir, user_data_dir


def config_folder() -> Path:
    """Return the settings folder; ``PIXCELL_CONFIG_DIR`` overrides it."""
    return Path(os.environ.get("PIXCELL_CONFIG_DIR") or user_config_dir("napari-pixcell"))


def cache_folder() -> Path:
    """Return the cache folder; ``PIXCELL_CACHE_DIR`` overrides it."""
    return Path(os.environ.get("PIXCELL_CACHE_DIR") or user_cache_dir("napari-pixcell"))


def data_folder() -> Path:
    """Return the folder of user data; ``PIXCELL_DATA_DIR`` overrides it."""
    return Path(os.environ.get("PIXCELL_DATA_DIR") or user_data_dir("napari-pixcell"))
