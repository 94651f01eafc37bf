"""Checkpoints in the exact published structure, with tiny widths, are loaded and run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.io import imread
from tifffile import imwrite

from napari_pixcell.cli.main import main
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Preview, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import (
    EmbedRequest,
    GenerateRequest,
    Source,
    request_from_dict,
)
from napari_pixcell.engine.requests import snap, stain_request, why_too_small
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.build import build_network
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import TRAINED_EPS, load_family
from napari_pixcell.models.store import find, missing, set_weights_folder
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.slides import Region
from napari_pixcell.slides.samples import SAMPLE_SLIDE

PUBLISHED = [name for name, family in BUILT_IN.items() if not family.bundled]
STRUCTURES = ("pixcell-256", "pixcell-256-cells", "pixcell-1024", "stain-her2")
CPU = torch.device("cpu")


def run(engine: Engine, request) -> list:
    events: list = []
    engine.run(request, events.append)
    return events


def pixels(side: int) -> PackedArray:
    return PackedArray.pack(np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_family_states_its_title_licence_and_notice(name: str) -> None:
    family = get_family(name)
    assert family.title and family.licence and family.notice
    assert family.bytes > 1e7 and family.tile in (256, 1024)
    if not family.bundled:
        assert any(part.gated for part in family.parts)
        assert all(part.hub_id and part.files and part.bytes for part in family.parts)


@pytest.mark.parametrize(
    ("about", "eps"),
    [
        ({}, 1e-5),
        ({"stain": "mine", "base": "demo"}, 1e-6),
        ({"stain": "mine", TRAINED_EPS: "1e-05"}, 1e-5),
    ],
)
def test_a_flow_has_the_norms_that_it_was_trained_with(tmp_path: Path, about, eps: float) -> None:
    save_file(StainFlowMLP(128, 16, 16, 16, 128, 1).state_dict(), tmp_path / "f.safetensors", about)
    own("mine", f'base = "demo"\n[flow]\nfile = "{(tmp_path / "f.safetensors").as_posix()}"\n')
    for name, wanted in (("mine", eps), ("demo-ki67", 1e-6)):
        flow = load_family(get_family(name), CPU).flow
        norms = [one.eps for one in flow.modules() if isinstance(one, torch.nn.LayerNorm)]
        assert norms == [*[wanted] * (len(norms) - 1), 1e-6]


def test_where_a_config_states_no_scale_of_positions_it_is_the_published_one() -> None:
    tiny = {"num_attention_heads": 1, "attention_head_dim": 4, "cross_attention_dim": 4}
    for side, plain, steered in ((32, 0.5, 1), (128, 2, 2)):
        config = tiny | {"sample_size": side, "num_layers": 1, "n_controlnet_blocks": 1}
        transformer = build_network("pixcell-transformer", config)
        controlnet = build_network("pixcell-controlnet", config)
        assert transformer.config.interpolation_scale == plain
        assert controlnet.config.interpolation_scale == steered


MIST = ("her2", "er", "pr", "ki67")


def test_guidance_and_pixel_sizes_are_the_published_ones() -> None:
    plain = {name: family.guidance for name, family in BUILT_IN.items()}
    stains = dict.fromkeys(("demo-ki67", "stain-her2match", *(f"stain-{s}" for s in MIST)), 1.2)
    published = {"pixcell-256": 2.0, "pixcell-256-cells": 2.0, "pixcell-1024": 1.2}
    demo = {name: 2.0 for name, family in BUILT_IN.items() if family.bundled}
    assert plain == demo | published | stains
    assert BUILT_IN["pixcell-256-cells"].layout_guidance == 2.5
    mist = {f"stain-{name}" for name in MIST}
    for name, family in BUILT_IN.items():
        assert family.mpp == (0.4661 if name in mist else 0.5)
        assert family.cell_gap == name.startswith("demo")


def test_a_mist_stain_is_fitted_and_read_at_its_own_pixel_size(installed: Path) -> None:
    family = get_family("stain-her2")
    region = snap(Region(100, 100, 300, 300), (5000, 5000), 0.25, family)
    assert region.width * 0.25 == pytest.approx(477.3, abs=0.1)
    assert size_at(region, 0.25, family) == (1024, 1024)
    assert "needs 477 µm" in why_too_small(Region(0, 0, 100, 100), 0.25, family, "Region 1")
    style = np.zeros((16, 64), np.float32)
    source = Source()
    request = stain_request(family, size=(1024, 1024), embedding=style, source=source, seed=1)
    assert (request.mpp, request.size) == (0.4661, None)
    again = request_from_dict(json.loads(json.dumps(request.to_dict())))
    assert again == request


def test_the_encoder_is_in_full_precision_whatever_the_others_are(installed: Path) -> None:
    image = pixels(256)
    values = []
    for dtype in (torch.float32, torch.bfloat16):
        engine = Engine(CPU)
        loaded = engine.loaded.load("pixcell-256", dtype)
        assert {p.dtype for p in loaded.encoder.parameters()} == {torch.float32}
        assert loaded.transformer.dtype == dtype
        values += [e.values for e in run(engine, EmbedRequest("pixcell-256", image))[:1]]
    np.testing.assert_array_equal(*values)


def test_only_the_demo_families_need_no_weights() -> None:
    installed = [name for name in BUILT_IN if not missing(BUILT_IN[name])]
    assert installed == [name for name, family in BUILT_IN.items() if family.bundled]


def test_tensor_names_are_the_published_ones(checkpoints: Path, layouts: Path) -> None:
    files = {
        "pixcell_256_transformer": "StonyBrook-CVLab/PixCell-256/transformer",
        "pixcell_1024_transformer": "StonyBrook-CVLab/PixCell-1024/transformer",
        "pixcell_256_cell_controlnet": ("StonyBrook-CVLab/PixCell-256-Cell-ControlNet/controlnet"),
        "sd3_vae": "StonyBrook-CVLab/PixCell-256-Cell-ControlNet/vae",
    }
    for layout, folder in files.items():
        wanted = json.loads((layouts / f"{layout}.json").read_text())
        ours = load_file(checkpoints / folder / "diffusion_pytorch_model.safetensors")
        assert set(ours) == set(wanted), layout
    staining = checkpoints / "StonyBrook-CVLab" / "pixcell-virtual-staining" / "ckpts"
    others = {
        "uni2_h": checkpoints / "MahmoodLab" / "UNI2-h" / "pytorch_model.bin",
        "staining_lora_transformer": staining / "lora" / "mist_her2_lora.pth",
        "staining_flow_mlp": staining / "mlp" / "mist_her2_mlp.pth",
    }
    for layout, path in others.items():
        wanted = json.loads((layouts / f"{layout}.json").read_text())
        assert set(torch.load(path, weights_only=True)) == set(wanted), layout


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("name", STRUCTURES)
def test_a_published_family_generates_a_variant_from_tissue(name: str) -> None:
    family, engine = get_family(name), Engine(CPU)
    assert not missing(family)
    embedding = next(
        e for e in run(engine, EmbedRequest(name, pixels(family.tile))) if isinstance(e, Embedding)
    )
    assert embedding.values.shape == (family.grid**2, 64)
    layout = None
    if family.takes_layout:
        labels = np.zeros((256, 256), np.uint16)
        labels[40:80, 40:80] = 1
        layout = PackedArray.pack(labels)
    style = PackedArray.pack(embedding.values)
    request = GenerateRequest(name, style, layout, count=1, steps=1, guidance=family.guidance)
    events = run(engine, request)
    variant = next(e for e in events if isinstance(e, Variant))
    assert variant.image.shape == (family.tile, family.tile, 3)
    assert variant.image.std() > 0
    assert set(variant.record.weights) == {p.kind for p in family.parts} - {"scheduler"}
    assert "CC BY-NC-ND" in variant.record.licence
    preview = next(e for e in events if isinstance(e, Preview))
    assert preview.image.shape == (family.tile // 8, family.tile // 8, 3)


@pytest.mark.usefixtures("shallow")
def test_the_sixteen_embeddings_belong_to_the_tiles_row_by_row() -> None:
    engine, image = Engine(CPU), pixels(1024)
    whole = run(engine, EmbedRequest("pixcell-1024", image))[0].values
    third_in_second_row = PackedArray.pack(image.unpack()[256:512, 512:768])
    alone = run(engine, EmbedRequest("pixcell-256", third_in_second_row))[0].values
    # A batch of 16 is summed in another order.
    np.testing.assert_allclose(whole[6], alone[0], atol=1e-3 * np.abs(alone).max())
    assert np.abs(whole[9] - alone[0]).max() > np.abs(whole[6] - alone[0]).max()


def test_a_wrong_grid_of_embeddings_is_refused(installed: Path) -> None:
    style = PackedArray.pack(np.zeros((4, 64), np.float32))
    with pytest.raises(PixCellError, match=r"shape \(4, 64\), but PixCell-1024 needs \(16, 64\)"):
        run(Engine(CPU), GenerateRequest("pixcell-1024", style, count=1, steps=1))


def test_a_layout_for_a_family_without_a_controlnet_is_refused(installed: Path) -> None:
    layout = PackedArray.pack(np.ones((256, 256), np.uint16))
    with pytest.raises(PixCellError, match="PixCell-256 does not support layouts"):
        run(Engine(CPU), GenerateRequest("pixcell-256", None, layout, count=1, steps=1))


def test_a_missing_family_is_refused_with_the_command_that_gets_it() -> None:
    with pytest.raises(PixCellError, match="napari-pixcell models get pixcell-256"):
        run(Engine(CPU), GenerateRequest("pixcell-256", count=1, steps=1))


def test_a_lora_changes_the_output_but_not_the_tensors_of_its_base(installed: Path) -> None:
    base = load_family(get_family("pixcell-1024"), CPU, torch.float32)
    stained = load_family(get_family("stain-her2"), CPU, torch.float32)
    ours = stained.transformer.state_dict()
    name = "transformer_blocks.3.attn2.to_q"
    assert torch.equal(
        ours[f"{name}.base_layer.weight"], base.transformer.state_dict()[f"{name}.weight"]
    )
    found = find(get_family("stain-her2").part("lora"))
    published = torch.load(found.weights, weights_only=True)
    for side in "AB":
        key = f"{name}.lora_{side}.default.weight"
        assert torch.equal(ours[key], published[key])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 32, 32, generator=generator)
    style = torch.randn(1, 16, 64, generator=generator)
    with torch.inference_mode():
        without, within = (
            m.transformer(x, style, torch.tensor([500])).sample for m in (base, stained)
        )
    assert (without - within).abs().max() > 1e-6


def test_weights_in_the_cache_of_the_hub_are_used(checkpoints: Path, tmp_path, monkeypatch) -> None:
    from huggingface_hub import constants

    family = get_family("pixcell-256")
    for part in family.parts:
        folder = tmp_path / f"models--{part.hub_id.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text("abc")
        for name in part.files:
            path = folder / "snapshots" / "abc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(checkpoints / part.hub_id / name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert find(family.parts[0]).where == "cache"
    assert not missing(family)


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - set(STRUCTURES)))
def test_the_other_families_have_one_of_these_structures(installed: Path, name: str) -> None:
    loaded = load_family(get_family(name), CPU)
    assert set(loaded.weights) == {p.kind for p in get_family(name).parts} - {"scheduler"}
    assert {p.kind for p in get_family(name).parts} in [
        {p.kind for p in get_family(other).parts} for other in STRUCTURES
    ]


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("name", ["pixcell-256-cells", "stain-her2match"])
def test_a_published_family_generates_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    family, out = get_family(name), tmp_path / "out"
    side = family.tile
    arguments = ["generate", str(SAMPLE_SLIDE), "--region", f"300,300,{side},{side}"]
    arguments += ["--family", name, "--steps", "1", "--count", "1"]
    if family.takes_layout:
        labels = np.zeros((side, side), np.uint16)
        labels[20:60, 100:150] = 1
        imwrite(tmp_path / "mask.tif", labels)
        arguments += ["--layout", str(tmp_path / "mask.tif")]
    assert main([*arguments, "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert imread(out / result["images"][0]).shape == (side, side, 3)
    assert [mask is not None for mask in result["masks"]] == [family.takes_layout]
    row = json.loads((out / "manifest.jsonl").read_text())
    assert "UNI2-h" in json.dumps(row) and "CC BY-NC-ND" in json.dumps(row)


# -- broken and malicious files ----------------------------------------------------------


@pytest.fixture
def copy(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of PixCell-256 that a test may damage."""
    for part in get_family("pixcell-256").parts:
        for name in part.files:
            path = tmp_path / part.hub_id / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes((checkpoints / part.hub_id / name).read_bytes())
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    return tmp_path / "StonyBrook-CVLab" / "PixCell-256" / "transformer"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_layers": 10**9}, "num_layers = 1000000000 in config.json is out of range"),
        ({"sample_size": 10**7}, "sample_size = 10000000 in config.json is out of range"),
        ({"attention_head_dim": 0}, "do not fit together"),
        ({"caption_num_tokens": 16}, "reads 16 embeddings|do not belong to this network"),
    ],
)
def test_an_absurd_config_is_refused(copy: Path, change: dict, words: str) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PixCellError, match=words):
        load_family(get_family("pixcell-256"), CPU)


def test_tensors_of_another_network_are_refused_by_name(copy: Path) -> None:
    path = copy / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["proj_out.bias"] = torch.zeros(7)
    save_file(tensors, path)
    with pytest.raises(PixCellError, match=r"wrong shape: proj_out\.bias"):
        load_family(get_family("pixcell-256"), CPU)


def test_a_header_of_absurd_size_is_refused(copy: Path) -> None:
    path = copy / "diffusion_pytorch_model.safetensors"
    path.write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(PixCellError, match="missing or damaged"):
        load_family(get_family("pixcell-256"), CPU)


def test_a_compressed_archive_is_refused(copy: Path, tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "MahmoodLab" / "UNI2-h" / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(PixCellError, match="is compressed, which weight files never are"):
        load_family(get_family("pixcell-256"), CPU)


# -- the user's own families ---------------------------------------------------------------


def own(name: str, text: str) -> None:
    from napari_pixcell.models.own_families import families_folder

    families_folder().mkdir(parents=True, exist_ok=True)
    (families_folder() / f"{name}.toml").write_text(text)


def test_a_toml_file_defines_a_family_of_the_users(installed: Path, tmp_path: Path) -> None:
    lora = {
        f"transformer.transformer_blocks.{i}.attn2.to_q.lora_{side}.weight": torch.full(shape, 0.1)
        for i in range(28)
        for side, shape in (("A", (2, 12)), ("B", (12, 2)))
    }
    save_file(lora, tmp_path / "lung.safetensors")
    own(
        "lung",
        'base = "pixcell-256-cells"\ntitle = "Lung"\nguidance = 2\ncell_gap = true\n'
        'colour_match = "full"\n'
        f'[lora]\nfile = "{(tmp_path / "lung.safetensors").as_posix()}"\nlicence = "ours"\n',
    )
    family = get_family("lung")
    assert (family.title, family.guidance, family.tile) == ("Lung", 2, 256)
    assert family.cell_gap and not get_family("pixcell-256-cells").cell_gap
    assert family.colour_match == "full"
    assert "ours" in family.licence
    events = run(Engine(CPU), GenerateRequest("lung", count=1, steps=1))  # of all 28 layers
    assert any(isinstance(e, Variant) for e in events)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base = ", "is not a TOML file"),
        ('base = "magic"', "needs a line base .*There is no base “magic”"),
        ('base = "demo"\ncolour = 3', "“colour” is unknown"),
        ('base = "demo"\nsteps = "many"', "“steps” has the wrong type"),
        ('base = "demo"\ncell_gap = 1', "“cell_gap” has the wrong type"),
        ('base = "demo"\ncolour_match = "x"', "“colour_match” must be one of off, gentle, full"),
        ('base = "demo"\n[lora]\npath = "x"', r"\[lora\] needs folder"),
    ],
)
def test_an_invalid_toml_file_is_explained_and_skipped(text: str, words: str) -> None:
    from napari_pixcell.models.own_families import families_folder, read_own_family

    own("mine", text)
    with pytest.raises(PixCellError, match=words):
        read_own_family(families_folder() / "mine.toml", BUILT_IN)
    assert get_family("demo").title == "Demo (bundled)"


def test_a_decoder_of_the_users_has_the_class_of_the_base_autoencoder() -> None:
    own("mine", 'base = "demo-ki67"\n[decoder]\nfile = "/weights/decoder.safetensors"\n')
    part = get_family("mine").part("decoder")
    assert (part.network, part.files) == ("demo-autoencoder", ("decoder.safetensors",))
    own("other", 'base = "stain-er"\n[decoder]\nfile = "/weights/decoder.safetensors"\n')
    assert get_family("other").part("decoder").network == "autoencoder-kl"


def test_a_built_in_name_is_refused_for_a_family_of_the_users() -> None:
    from napari_pixcell.models.own_families import families_folder, read_own_family

    own("demo", 'base = "demo"')
    with pytest.raises(PixCellError, match="the name of a built-in family"):
        read_own_family(families_folder() / "demo.toml", BUILT_IN)


def test_a_lora_for_another_network_is_refused(installed: Path, tmp_path: Path) -> None:
    tensors = {f"encoder.layer.lora_{side}.weight": torch.ones(2, 2) for side in "AB"}
    save_file(tensors, tmp_path / "odd.safetensors")
    own("odd", f'base = "pixcell-256"\n[lora]\nfile = "{tmp_path.as_posix()}/odd.safetensors"\n')
    with pytest.raises(PixCellError, match=r"it adapts encoder\.layer"):
        load_family(get_family("odd"), CPU)


# -- damaged configurations and settings ---------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is missing or damaged"), ("[]", "contains no settings"), (" " * 2**20, "or damaged")],
)
def test_a_damaged_config_is_explained(copy: Path, text: str, words: str) -> None:
    (copy / "config.json").write_text(text)
    with pytest.raises(PixCellError, match=words):
        load_family(get_family("pixcell-256"), CPU)


def test_parts_that_do_not_match_are_refused(copy: Path) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_size": 16}))
    with pytest.raises(PixCellError, match="do not match: 16 and 16 channels, tiles of 128 px"):
        load_family(get_family("pixcell-256"), CPU)


def test_another_file_under_the_name_of_the_encoder_is_refused(copy: Path, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "MahmoodLab" / "UNI2-h" / "pytorch_model.bin")
    with pytest.raises(PixCellError, match=r"pytorch_model\.bin is not the file of MahmoodLab"):
        load_family(get_family("pixcell-256"), CPU)


def test_an_incomplete_lora_is_refused(installed: Path, tmp_path: Path) -> None:
    name = "transformer_blocks.0.attn2.to_q"
    save_file({f"{name}.lora_A.weight": torch.ones(2, 12)}, tmp_path / "half.safetensors")
    own("half", f'base = "pixcell-256"\n[lora]\nfile = "{tmp_path.as_posix()}/half.safetensors"\n')
    with pytest.raises(PixCellError, match=r"is incomplete \(.*lora_B"):
        load_family(get_family("half"), CPU)


def test_a_missing_file_of_the_users_is_explained(tmp_path: Path) -> None:
    own("gone", f'base = "demo"\n[lora]\nfile = "{tmp_path.as_posix()}/gone.safetensors"\n')
    with pytest.raises(PixCellError, match="Put its files back"):
        load_family(get_family("gone"), CPU)


def test_a_network_of_a_later_version_is_refused() -> None:
    with pytest.raises(
        PixCellError, match="This version of napari-pixcell has no network “pixcell-4096”"
    ):
        build_network("pixcell-4096", {})


def test_a_missing_folder_of_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match="There is no folder nowhere"):
        set_weights_folder(tmp_path / "nowhere")


def test_a_setting_that_cannot_be_stored_is_explained(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("PIXCELL_CONFIG_DIR", str(tmp_path / "a file" / "config"))
    with pytest.raises(PixCellError, match=r"cannot be saved.*PIXCELL_CONFIG_DIR"):
        set_weights_folder(tmp_path)
