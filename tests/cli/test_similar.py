"""Finding similar tissue on the command line, with the demo family."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tifffile import TiffFile

REGION = "1120,1870,257,257"  # epidermis


def test_map_and_matches_are_written_and_embeddings_cached(run, cmu_slide, tmp_path) -> None:
    out = tmp_path / "map.json"
    first = run("similar", cmu_slide, "--region", REGION, "--out", out, "--count", 2)
    assert first["from cache"] == 0 and first["looked at"] > 20
    written = json.loads(out.read_text())
    assert written["places"] == first["places"] and len(first["places"]) == 2
    best = first["places"][0]
    assert best["similarity"] > 0.5
    assert abs(best["x"] - 1120) < 300 and abs(best["y"] - 815) < 300  # the epidermis above
    values = np.array(written["map"], float)
    assert values.shape == (11, 8) and np.isfinite(values).sum() == first["looked at"]
    picture = tmp_path / "heat.tif"
    second = run("similar", cmu_slide, "--region", REGION, "--out", picture)
    assert second["from cache"] == first["looked at"]
    with TiffFile(picture) as file:
        page = file.pages[0]
        np.testing.assert_allclose(page.asarray(), values, atol=1e-3)
        assert json.loads(page.description)["places"][:2] == first["places"]
        across = page.tags["XResolution"].value
        assert 1e4 * across[1] / across[0] == pytest.approx(2220 / 8 * 0.499, rel=1e-3)


@pytest.mark.parametrize(
    "options, words",
    [
        (["--out", "map.png"], "End its name in .json or .tif"),
        (["--out", "nowhere/map.json"], "The folder for map.json does not exist"),
        (["--out", "map.json", "--count", "0"], "Choose 1 to 1000"),
    ],
)
def test_an_impossible_output_is_refused_before_the_search(
    run, cmu_slide, tmp_path, monkeypatch, options, words
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("similar", cmu_slide, "--region", REGION, *options)
    assert result["code"] == 1 and words in result["error"]
    assert not list(tmp_path.iterdir())
