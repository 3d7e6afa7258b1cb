"""Tiles and strips: the same result as in one piece, whatever the cuts."""

import io

import numpy as np
import pytest
from PIL import Image
from programs import assert_fails, invoke
from records import from_bytes, to_bytes

from nic.codec import Codec
from nic.errors import CorruptError
from nic.format import channels
from nic.format.records import Stage, read_records
from nic.models import zoo
from nic.picture import rows
from nic.transform import backends, tiles

TIES = 1e-4  # of latents' symbols, and of decoded samples, that float additions may move


@pytest.fixture(scope="module")
def picture(photographs):
    """uint8 (299, 250, 3): neither side a multiple of 8, several strips of 48 rows."""
    return photographs["coffee"][:299, 100:350]


@pytest.fixture(scope="module")
def in_strips():
    return Codec(strip_pixels=48 * 250)


@pytest.mark.parametrize("length", [1, 7, 8, 100, 239, 240, 241, 1000])
@pytest.mark.parametrize("step", [1, 10, 240])
def test_spans_cover_everything_once(length, step):
    spans = tiles.spans(length, step, reach=3)
    assert [s.first for s in spans] == [0, *(s.last for s in spans[:-1])]
    assert spans[-1].last == length
    for s in spans:
        assert s.last - s.first <= max(2, 2 * step)
        assert (s.start, s.stop) == (max(0, s.first - 3), min(length, s.last + 3))


def test_tiles_do_not_change_the_result(picture, monkeypatch):
    pytest.importorskip("keras", reason="Keras is not installed")
    codec = Codec(backend="keras", device="cpu")
    whole = codec.encode(picture)
    monkeypatch.setattr(tiles, "TILE", 64)
    tiled = codec.encode(picture)
    a, b = (np.frombuffer(r.data, "<f4") for r in (whole, tiled))
    np.testing.assert_allclose(a, b, atol=1e-4)
    decoded = codec.decode(whole).pixels
    monkeypatch.undo()
    expected = codec.decode(whole).pixels
    assert np.abs(decoded.astype(int) - expected).max() <= 1
    assert (decoded != expected).mean() < TIES


def test_half_the_context_would_be_seen(picture, monkeypatch):
    """By light; light-visual looks less far than its layers reach."""
    pytest.importorskip("keras", reason="Keras is not installed")
    codec = Codec(tune="psnr", backend="keras", device="cpu")
    model = codec.loader.model(codec.encode(picture).header)
    transform = codec.loader.transform(model)
    exact, short = transform.reach[0], transform.reach[0] // 2
    whole = transform.analyse(picture)
    monkeypatch.setattr(tiles, "TILE", 64)

    class Short:
        reach = (short, short)
        analysis = transform.network.analysis

    assert np.abs(tiles.Tiled(Short()).analyse(picture) - whole).max() > 1e-4
    Short.reach = (exact, exact)
    assert np.abs(tiles.Tiled(Short()).analyse(picture) - whole).max() < 1e-4


def quantized(codec, record):
    """The integers that symbols stand for, (h, w, C): the same wherever prediction started."""
    record = codec.forward(record, Stage.SYMBOLS)
    latents = codec.to_latents(record)
    step = codec.loader.model(record.header).step(record.header.quality)
    values = np.moveaxis(channels.latents(latents), 0, -1)
    return np.rint(values / step)


def test_strips_hold_the_symbols_of_the_whole(codec, in_strips, picture):
    expected = quantized(codec, codec.encode(picture))
    records = list(in_strips.encode_rows(rows.of_array(picture)))
    assert [r.header.strip for r in records] == [(top, 299) for top in range(0, 299, 48)]
    assert [r.header.height for r in records] == [48] * 6 + [11]
    found = np.concatenate([quantized(codec, record) for record in records])
    assert np.array_equal(found, expected)


# The synthesis sees further than 16 rows: there it sees several other strips.
@pytest.mark.parametrize(("height", "grey"), [(48, False), (48, True), (16, False)])
def test_strips_decode_to_the_picture_of_the_whole(codec, picture, height, grey):
    in_strips = Codec(strip_pixels=height * 250)
    pixels = picture[..., 1] if grey else picture
    expected = codec.decode(codec.encode(pixels)).pixels
    packed = [
        from_bytes(to_bytes(in_strips.forward(record, Stage.PACKED)))
        for record in in_strips.encode_rows(rows.of_array(pixels))
    ]
    unquantized = in_strips.encode_rows(rows.of_array(pixels))
    found = np.concatenate([part.pixels for _, part in codec.decode_strips(unquantized)])
    assert np.array_equal(found, expected)
    coded = np.concatenate([part.pixels for _, part in codec.decode_strips(packed)])
    whole = codec.decode(codec.forward(codec.encode(pixels), Stage.PACKED)).pixels
    assert np.array_equal(coded, whole)


@pytest.mark.parametrize("tile", [64, 1920])
@pytest.mark.parametrize("rows", [8, 64, 304])
def test_keras_takes_rows_as_they_come(picture, monkeypatch, tile, rows):
    pytest.importorskip("keras", reason="Keras is not installed")
    monkeypatch.setattr(tiles, "TILE", tile)
    model = zoo.by_name()
    backend = backends.load(model, "keras", "cpu")
    latents = backend.analyse(picture)
    run = backend.start_analysis(picture.shape, 8)
    parts = [run.push(picture[top : top + rows]) for top in range(0, len(picture), rows)]
    found = np.concatenate([part for part in parts if part is not None], axis=1)
    np.testing.assert_allclose(found, latents, atol=2e-4)
    expected = backend.synthesise(latents, False, 8)
    run, step = backend.start_synthesis(latents.shape[1:], False, 8), rows // 8
    parts = [run.push(latents[:, top : top + step]) for top in range(0, latents.shape[1], step)]
    found = np.concatenate([part for part in parts if part is not None])
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        ([1, 2, 3], "row 48 comes where row 0 is due"),
        ([0, 2, 3], "row 96 comes where row 48 is due"),
        ([0, 1, 1], "row 48 comes where row 96 is due"),
        ([0, 1, 0], "row 0 comes where row 96 is due"),
        ([0, 1], "strips end at row 96"),
    ],
)
def test_strips_out_of_order_are_refused(in_strips, picture, order, complaint):
    records = list(in_strips.encode_rows(rows.of_array(picture)))
    with pytest.raises(CorruptError, match=complaint):
        list(in_strips.decode_strips(records[i] for i in order))


def test_a_picture_between_strips_is_refused(codec, in_strips, picture):
    first, *_ = in_strips.encode_rows(rows.of_array(picture))
    with pytest.raises(CorruptError, match="row 0 comes where row 48 is due"):
        list(in_strips.decode_strips([first, codec.encode(picture)]))


def ppm(pixels, comment=b""):
    h, w = pixels.shape[:2]
    return b"P%d\n%s%d %d\n255\n" % (6 if pixels.ndim == 3 else 5, comment, w, h) + pixels.tobytes()


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("comment", [b"", b"# made by hand\n"])
def test_rows_of_a_large_pnm_are_read_as_they_come(picture, grey, comment):
    pixels = picture[..., 0] if grey else picture
    source = io.BytesIO(ppm(pixels, comment))
    found = rows.open_picture(source, 1000)
    assert (found.width, found.height) == (250, 299)
    np.testing.assert_array_equal(found.read(10), pixels[:10])
    assert source.tell() < len(source.getvalue()) / 10
    np.testing.assert_array_equal(found.read(289), pixels[10:])


def test_a_large_pnm_that_ends_early_is_refused(picture):
    found = rows.open_picture(io.BytesIO(ppm(picture)[:-1]), 1000)
    with pytest.raises(CorruptError, match="before its last row"):
        found.read(299)


@pytest.mark.parametrize("name", ["a.ppm", "a.png"])
def test_large_pictures_go_through_the_programs(tmp_path, picture, name):
    source = tmp_path / name
    Image.fromarray(picture).save(source)
    result = invoke("compress", "--max-memory", "1M", source)
    assert (result.code, result.err) == (0, "")
    records = list(read_records(io.BytesIO((tmp_path / "a.nic").read_bytes())))
    assert len(records) == 19
    piped = invoke("encode", "--max-memory", "1M", data=source.read_bytes())
    piped = invoke("pack", data=piped.out)
    assert piped.out == (tmp_path / "a.nic").read_bytes()
    outputs = {}
    for out in ("b.ppm", "b.png"):
        result = invoke("decompress", tmp_path / "a.nic", "-o", tmp_path / out)
        assert (result.code, result.err) == (0, "")
        outputs[out] = np.array(Image.open(tmp_path / out))
        assert (
            invoke("decode", tmp_path / "a.nic", "--format", out[2:]).out
            == (tmp_path / out).read_bytes()
        )
    np.testing.assert_array_equal(outputs["b.ppm"], outputs["b.png"])
    assert np.abs(outputs["b.png"].astype(float) - picture).mean() < 5
    assert "strip           288 299" in invoke("info", tmp_path / "a.nic").out.decode()


def test_missing_strips_are_one_line_and_leave_nothing(tmp_path, in_strips, picture):
    packed = [
        in_strips.forward(record, Stage.PACKED)
        for record in in_strips.encode_rows(rows.of_array(picture))
    ]
    (tmp_path / "a.nic").write_bytes(to_bytes(*packed[:-1]))
    result = invoke("decompress", tmp_path / "a.nic")
    assert_fails(result, 3, "a.nic", "strips end at row 288")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("value", ["", "M", "-1", "1.5.5G", "many"])
def test_memory_that_is_no_size_is_refused(value):
    assert invoke("encode", "--max-memory", value).code == 2
