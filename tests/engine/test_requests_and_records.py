"""A request is a value; a record makes it again or says why it cannot."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_pixcell.cells.layout import check_layout
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import (
    EmbedRequest,
    GenerateRequest,
    SegmentRequest,
    Source,
    request_from_dict,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family


@pytest.fixture
def request_() -> GenerateRequest:
    labels = np.zeros((256, 256), np.uint16)
    labels[10:20, 10:20] = 1
    return GenerateRequest(
        family="demo",
        embedding=PackedArray.pack(np.linspace(-1, 1, 128, dtype=np.float32)[None]),
        layout=PackedArray.pack(labels),
        seed=7,
        count=3,
        source=Source("case 1", (1.0, 2.0, 256.5, 256.5), 0.499),
    )


def test_a_request_survives_json_unchanged(request_: GenerateRequest) -> None:
    again = request_from_dict(json.loads(json.dumps(request_.to_dict())))
    assert again == request_
    assert hash(again) == hash(request_)


def test_an_embed_request_survives_json_unchanged() -> None:
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    request = EmbedRequest("demo", PackedArray.pack(pixels))
    again = request_from_dict(json.loads(json.dumps(request.to_dict())))
    assert again == request
    assert isinstance(again, EmbedRequest)
    np.testing.assert_array_equal(again.pixels.unpack(), pixels)


@pytest.mark.parametrize(
    "how",
    [
        SegmentMethod(),
        SegmentMethod("cellpose", "/models/mine", 12.5, 0.3, -1.0, largest_um2=300.0),
    ],
)
def test_a_segment_request_survives_json_unchanged(how: SegmentMethod) -> None:
    pixels = PackedArray.pack(np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3))
    request = SegmentRequest(pixels, 0.5, how)
    assert request_from_dict(json.loads(json.dumps(request.to_dict()))) == request


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SegmentMethod("magic"), "“magic” is not a segmentation method"),
        (lambda: SegmentMethod(diameter=500), "cell diameter is 500 µm. Choose one from 3"),
        (lambda: SegmentMethod(largest_um2=0), "largest cell area is 0 µm². Choose more than 0"),
        (lambda: SegmentMethod(smallest_um2=9, largest_um2=8), "but the smallest is 9 µm²."),
        (lambda: SegmentMethod(cellprob_threshold=float("nan")), "Choose one from -8 to 8"),
        (lambda: segment(np.zeros((4, 4), np.uint8)), "segmented in an RGB image"),
        (lambda: segment(np.zeros((4, 4, 3), np.float32)), "float32. Use a region of a slide"),
        (lambda: segment(np.zeros((0, 4, 3), np.uint8)), "Use a region of a slide"),
        (lambda: segment(np.zeros((4, 4, 3), np.uint8), 0), "The pixel size is 0. Enter it in µm"),
    ],
)
def test_invalid_segment_requests_are_refused(make, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        make()


def segment(pixels: np.ndarray, mpp: float = 0.5) -> SegmentRequest:
    return SegmentRequest(PackedArray.pack(pixels), mpp)


def test_a_record_holds_the_source_of_its_layout(request_: GenerateRequest) -> None:
    made = LayoutSource("cellpose", "cpsam_v2", "0" * 64, "terms", edited=True)
    record = Record(replace(request_, count=1, source=Source("case 1", layout=made)))
    assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    assert "layout" not in Source("case 1").to_dict()


def test_records_of_one_job_share_their_arrays(request_: GenerateRequest) -> None:
    records = [json.loads(json.dumps(Record(v).to_dict())) for v in request_.variants()]
    read = [Record.from_dict(value).request for value in records]
    assert all(one.layout is request_.layout for one in read)
    other = PackedArray.pack(request_.layout.unpack() * 2)
    assert other != request_.layout


def test_a_damaged_array_is_refused_each_time(request_: GenerateRequest) -> None:
    value = request_.layout.to_dict() | {"zlib": "AAAA"}
    for _ in range(2):
        with pytest.raises(PixCellError, match="is damaged"):
            PackedArray.from_dict(value)


def test_each_variant_has_its_own_seed(request_: GenerateRequest) -> None:
    variants = request_.variants()
    assert [v.seed for v in variants] == [7, 8, 9]
    assert all(v.count == 1 and v.layout == request_.layout for v in variants)


def test_the_last_seed_is_followed_by_the_first() -> None:
    seeds = [v.seed for v in GenerateRequest("demo", seed=2**32 - 1, count=2).variants()]
    assert seeds == [2**32 - 1, 0]


def test_a_record_survives_a_file(request_: GenerateRequest, tmp_path) -> None:
    record = Record(request_.variants()[0], {"vae": "ab"}, {"torch": "2"}, sha256="cd")
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record.to_dict()))
    assert Record.load(path) == record


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"count": 0}, "The number of variants is 0; choose one from 1 to 1000."),
        ({"steps": 0}, "The number of steps is 0; choose one from 1 to 1000."),
        ({"seed": -1}, "The seed is -1; choose one from 0 to 4294967295."),
        ({"guidance": 99}, "The guidance is 99; choose one from 0 to 50."),
        ({"layout_strength": 3}, "The layout strength is 3; choose one from 0 to 2."),
    ],
)
def test_a_setting_out_of_range_is_refused(changed, sentence, request_) -> None:
    with pytest.raises(PixCellError) as error:
        replace(request_, **changed)
    assert str(error.value) == sentence


def test_an_empty_layout_is_refused(request_: GenerateRequest) -> None:
    empty = PackedArray.pack(np.zeros((256, 256), np.uint16))
    with pytest.raises(PixCellError, match=r"The layout has no cells. Paint some"):
        replace(request_, layout=empty)


def test_a_layout_of_another_size_is_refused() -> None:
    with pytest.raises(PixCellError, match="The layout is 20 × 10 px but the region needs 256"):
        check_layout(np.ones((10, 20), int), (256, 256))


def test_more_than_500000_cells_are_refused() -> None:
    labels = np.arange(600_000, dtype=np.uint32).reshape(600, 1000)
    with pytest.raises(PixCellError, match="599,999 cells, more than 500,000"):
        check_layout(labels)


def test_a_record_of_another_format_is_refused(request_: GenerateRequest) -> None:
    value = Record(request_).to_dict() | {"napari-pixcell record": 99}
    with pytest.raises(PixCellError, match="another version of napari-pixcell \\(format 99"):
        Record.from_dict(value)


def test_a_file_other_than_a_record_is_refused(tmp_path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1, 2]")
    with pytest.raises(PixCellError, match="This file is not a napari-pixcell record"):
        Record.load(path)
    path.write_text("{")
    with pytest.raises(PixCellError, match=r"x\.json” is not valid JSON .* Choose an exported"):
        Record.load(path)
    with pytest.raises(PixCellError, match=r"none\.json” does not exist. Check its name"):
        Record.load(tmp_path / "none.json")


def test_a_damaged_array_in_a_record_is_refused(request_: GenerateRequest) -> None:
    value = Record(request_).to_dict()
    value["request"]["embedding"]["zlib"] = "AAAA"
    with pytest.raises(PixCellError, match="An array in this record is damaged"):
        Record.from_dict(value)


def test_a_record_with_unknown_settings_is_refused(request_: GenerateRequest) -> None:
    value = Record(request_).to_dict()
    value["request"]["wormholes"] = 3
    with pytest.raises(PixCellError, match="does not hold a request that this version"):
        Record.from_dict(value)


def test_a_record_of_other_weights_is_refused(request_: GenerateRequest) -> None:
    record = Record(request_, weights={"vae": "a", "encoder": "b"})
    with pytest.raises(PixCellError, match=r"made with other weights \(encoder\)"):
        record.check_weights({"vae": "a", "encoder": "c"})
    record.check_weights({"vae": "a", "encoder": "b"})


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(PixCellError, match=r"There is no family “magic”. Choose one of: demo"):
        get_family("magic")
