"""OME-Zarr in commands: folders, and addresses only after permission."""

from __future__ import annotations

import numpy as np
import pytest
from ome_zarr_slides import served, write_ome_zarr
from tifffile import imread

TISSUE = np.random.default_rng(3).integers(120, 240, (600, 700, 3), np.uint8)


def test_commands_read_ome_zarr_from_disk_and_after_permission_from_a_server(run, tmp_path) -> None:
    pytest.importorskip("aiohttp")
    path = write_ome_zarr(tmp_path / "a.ome.zarr", TISSUE)
    found = run("info", path)
    assert (found["name"], found["width"], found["mpp"]) == ("a.ome.zarr", 700, 0.25)
    with served(tmp_path) as (address, asked):
        url = f"{address}/a.ome.zarr"
        assert "Add --allow-network" in run("info", url)["error"] and not asked
        assert run("info", url, "--allow-network") == found
        region, masks = "10,20,600,550", (tmp_path / "near.tif", tmp_path / "far.tif")
        for place, mask in zip((path, url), masks, strict=True):
            run("segment", place, "--allow-network", "--region", region, "--out", mask)
        np.testing.assert_array_equal(imread(masks[0]), imread(masks[1]))
        whole = run("embed", url, "--allow-network", "--out", tmp_path / "e.npy")
        assert whole["error"] == "A slide on the network is not embedded as a whole. Add --region."
