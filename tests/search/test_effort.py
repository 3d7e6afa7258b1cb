"""Searched latents: they cost less, decode like any others, and stay within their windows."""

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from programs import invoke, run
from records import from_bytes, planes, to_bytes

from nic.codec import Codec
from nic.format.records import Stage
from nic.models import native, zoo
from nic.models.native.distortion import Distortion
from nic.picture import metrics, perceptual, readers, rows
from nic.search import descent, effort
from nic.transform.tiles import unit

EFFORT = 4
PSNR = ("--tune", "psnr")  # whose measure takes pictures of any size


@pytest.fixture(scope="module")
def codec():
    return Codec(tune="psnr")


@pytest.fixture(scope="module")
def model():
    return zoo.by_choice(zoo.DEFAULT, "psnr")[0]


@pytest.fixture(scope="module")
def detail(photographs):
    """A part of a photograph, uint8 (112, 150, 3)."""
    return np.ascontiguousarray(photographs["astronaut"][60:172, 150:300])


def cost(codec, model, pixels, record, quality):
    """Bits of the real file and of the squared error of the decoded picture."""
    packed = codec.forward(record, Stage.PACKED, quality)
    error = (pixels / 255.0 - codec.decode(packed).pixels / 255.0) ** 2
    return 8 * len(to_bytes(packed)) + model.tradeoff(quality) * error.sum() / 3


@pytest.mark.parametrize("quality", [10, 50, 95])
def test_searched_latents_cost_less(codec, model, detail, quality):
    plain = codec.encode(detail, quality)
    searched = codec.encode(detail, quality, effort=EFFORT)
    assert searched.header.history == ("encode", "search")
    assert cost(codec, model, detail, searched, quality) < 0.99 * cost(
        codec, model, detail, plain, quality
    )


def test_more_steps_are_worth_more(codec, model, detail):
    few, many = (codec.encode(detail, 50, effort=effort) for effort in (2, 6))
    assert cost(codec, model, detail, many, 50) < 0.99 * cost(codec, model, detail, few, 50)


def test_the_same_twice_whatever_was_searched_between(codec, detail):
    first = codec.encode(detail, 50, effort=2)
    other = codec.encode(detail[:, ::-1], 50, effort=2)
    assert first.data != other.data
    assert codec.encode(detail, 50, effort=2).data == first.data


def test_tuned_for_ms_ssim(photographs):
    """By its own measure; of a picture in which that cannot be taken, a line says so."""
    codec, model = Codec(tune="ms-ssim"), zoo.by_choice("light", "ms-ssim")[0]
    pixels = np.ascontiguousarray(photographs["chelsea"][:184, :200])

    def cost_of(record):
        packed = codec.forward(record, Stage.PACKED, 50)
        loss = 1 - metrics.ms_ssim(pixels, codec.decode(packed).pixels)
        weight = 1270 / 255**2 * model.tradeoff(50)
        return 8 * len(to_bytes(packed)) + weight * loss * pixels[..., 0].size

    plain, searched = (cost_of(codec.encode(pixels, 50, effort=n)) for n in (1, EFFORT))
    assert searched < 0.99 * plain


def test_tuned_for_the_eye(photographs):
    """The default model, by the mixture of SSIMULACRA 2 and squared error that it is trained for.

    The sides are no multiples of 32, which the coarser scales of the measure have to bear.
    """
    pytest.importorskip("ssimulacra2")
    codec, model = Codec(), zoo.by_name()
    assert model.measure == "visual"
    pixels = np.ascontiguousarray(photographs["coffee"][:268, 40:317])

    def cost_of(record):
        packed = codec.forward(record, Stage.PACKED, 50)
        decoded = codec.decode(packed).pixels
        inner = ((100 - perceptual.ssimulacra2(pixels, decoded)) / 10) ** (1 / 0.6276336467831387)
        error = np.mean((pixels / 255.0 - decoded / 255.0) ** 2)
        loss = 0.9 * 4e-5 * inner + 0.1 * error
        return 8 * len(to_bytes(packed)) + model.tradeoff(50) * loss * pixels[..., 0].size

    plain, searched = (cost_of(codec.encode(pixels, 50, effort=n)) for n in (1, EFFORT))
    assert searched < 0.99 * plain


def made(name):
    """A picture unlike those that models are trained on, uint8 (264, 256, 3)."""
    rng = np.random.default_rng(0)
    if name == "saturated":
        return np.kron(rng.integers(0, 2, (33, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8) * 255
    if name == "gradient":
        return np.tile((np.arange(264) * 255 // 263).astype(np.uint8)[:, None, None], (256, 3))
    picture = Image.new("RGB", (256, 264), (131, 131, 131) if name == "flat" else "white")
    if name == "text":
        for y in range(4, 250, 14):
            ImageDraw.Draw(picture).text((4, y), "The quick brown fox jumps over it", "black")
    return np.asarray(picture)


@pytest.mark.parametrize("name", ["flat", "white", "gradient", "text", "saturated"])
@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_no_picture_costs_more(tune, name):
    codec, pixels = Codec(tune=tune), made(name)
    model = zoo.by_choice(zoo.DEFAULT, tune)[0]
    measure = Distortion(model.measure, unit(pixels))

    def cost_of(quality, how):
        packed = codec.forward(codec.encode(pixels, quality, effort=how), Stage.PACKED)
        decoded = unit(codec.decode(packed).pixels)
        error = measure(decoded, np.empty_like(decoded))
        return 8 * len(to_bytes(packed)) + model.tradeoff(quality) * error * 264 * 256

    for quality in (10, 95):
        plain, searched = (cost_of(quality, how) for how in (1, 2))
        assert searched <= plain
        if name in ("text", "saturated"):
            assert searched < 0.96 * plain


@pytest.mark.parametrize("tune", ["psnr", "ms-ssim", "visual"])
@pytest.mark.parametrize("size", [(1, 1), (9, 200)])
def test_pictures_that_are_too_small_for_a_measure(tune, size):
    """They are searched by what is left of it; see nic.models.native.distortion."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    codec = Codec(tune=tune)
    record = codec.encode(pixels, 60, effort=2)
    assert codec.decode(codec.forward(record, Stage.PACKED)).pixels.shape == pixels.shape


@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 9), (60, 43, 3)])
def test_any_size_and_grey(codec, shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    record = codec.encode(pixels, 60, effort=2)
    decoded = codec.decode(codec.forward(record, Stage.PACKED)).pixels
    assert decoded.shape == pixels.shape


def test_dropped_channels_stay_dropped_and_the_others_are_searched(codec, model, detail):
    both = [codec.encode(detail, 20, 16, effort=n) for n in (1, EFFORT)]
    symbols = [planes(codec.forward(record, Stage.SYMBOLS)) for record in both]
    assert symbols[1].shape[0] == 16
    assert (symbols[0] != symbols[1]).any()
    costs = [cost(codec, model, detail, record, 20) for record in both]
    assert costs[1] < 0.99 * costs[0]


def test_strips_are_searched_with_what_lies_beside_them(model, detail):
    """Rows of latents above and below are context, which the record does not get."""
    codec = Codec(tune="psnr", strip_pixels=150 * 48)
    file = io.BytesIO()
    Image.fromarray(detail).save(file, "PPM")

    def strips(how):
        source = rows.open_picture(
            io.BytesIO(file.getvalue()), codec.settings.strip_pixels, codec.limit, "all"
        )
        return list(codec.encode_rows(source, quality=50, effort=how))

    def total(records):
        packed = [codec.forward(record, Stage.PACKED) for record in records]
        decoded = np.concatenate([part.pixels for _, part in codec.decode_strips(packed)])
        error = (detail / 255.0 - decoded / 255.0) ** 2
        return 8 * sum(len(to_bytes(p)) for p in packed) + model.tradeoff(50) * error.sum() / 3

    plain, searched = strips(1), strips(EFFORT)
    assert len(plain) == len(searched) == 3
    assert [r.header.latent_shape for r in plain] == [r.header.latent_shape for r in searched]
    assert total(searched) < 0.99 * total(plain)


def test_programs_take_it_and_any_decoder_reads_it(tmp_path, detail):
    path = tmp_path / "a.png"
    Image.fromarray(detail).save(path)
    for each in (1, EFFORT):
        result = invoke("compress", *PSNR, "--effort", each, path, "-o", tmp_path / f"{each}.nic")
        assert (result.code, result.err) == (0, "")
    latents = invoke("encode", *PSNR, "--effort", EFFORT, path)
    piped = invoke("pack", data=latents.out)
    assert (
        piped.out == (tmp_path / f"{EFFORT}.nic").read_bytes() != (tmp_path / "1.nic").read_bytes()
    )
    decoded = readers.read(invoke("decode", data=piped.out).out).pixels
    assert metrics.psnr(decoded, detail) > 25


def test_no_framework_is_loaded(tmp_path):
    program = (
        "import sys, numpy; from nic.codec import Codec; "
        "Codec(tune='psnr').encode(numpy.zeros((40, 40, 3), 'u1'), 50, effort=2); "
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    done = run(sys.executable, "-c", program, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_any_number_of_threads_and_instruction_set_gives_the_same(tune, detail, monkeypatch):
    results = set()
    for isa in native.Isa:
        if isa < native.lib.transform_best() or isa == native.Isa.PORTABLE:
            continue  # without hardware for it, the portable one rounds twice
        monkeypatch.setenv(native.VARIABLE, isa.name.lower())
        for threads in (1, 3):
            record = Codec(tune=tune, threads=threads).encode(detail, 50, effort=3)
            results.add(bytes(record.data))
    assert len(results) <= 1


@pytest.mark.parametrize(("option", "value"), [("size", 3000), ("bpp", 0.9), ("psnr", 32.5)])
def test_a_target_is_met_with_what_a_search_gains(codec, tmp_path, detail, option, value):
    """Less than 6 % below the bytes, or .2 dB above the PSNR, and better than without."""
    path = tmp_path / "a.png"
    Image.fromarray(detail).save(path)
    sizes, similarity = [], []
    for each in (1, 5):
        out = tmp_path / f"{each}.nic"
        aim = (f"--target-{option}", value)
        result = invoke("compress", *PSNR, *aim, "--effort", each, path, "-o", out)
        assert (result.code, result.err) == (0, "")
        sizes.append(out.stat().st_size)
        decoded = codec.decode(from_bytes(out.read_bytes())).pixels
        similarity.append(metrics.psnr(detail, decoded))
    if option == "psnr":
        assert min(similarity) >= value > max(similarity) - 0.2
        assert sizes[1] < 0.99 * sizes[0]
    else:
        goal = value if option == "size" else value * 112 * 150 / 8
        assert 0.94 * goal < sizes[1] <= goal
        assert similarity[1] > similarity[0]


def test_the_nearest_is_taken_where_no_quality_meets_the_target(tmp_path, detail):
    path = tmp_path / "a.png"
    Image.fromarray(detail).save(path)
    sizes = []
    for each in (1, 3):
        out = tmp_path / f"{each}.nic"
        aim = ("--target-psnr", 60)
        result = invoke("compress", *PSNR, *aim, "--effort", each, path, "-o", out)
        assert result.code == 0
        assert "no quality reaches 60 dB" in result.err
        sizes.append(out.read_bytes())
    assert from_bytes(sizes[0]).header.quality == from_bytes(sizes[1]).header.quality
    assert sizes[0] != sizes[1]


# -- windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 700), (135, 240), (361, 243), (999, 330)])
def test_windows_tile_the_picture_and_cut_no_class(h, w):
    times = np.zeros((h, w), int)
    for y, x in effort.windows(h, w, 11):
        times[y.first : y.last, x.first : x.last] += 1
        assert (y.stop - y.start) * (x.stop - x.start) < 1.3 * effort.WHOLE
        for side, length in ((y, h), (x, w)):
            assert 0 <= side.start <= max(0, side.first - 11)
            assert min(length, side.last + 11) <= side.stop <= length
            assert side.start % 2 == side.first % 2 == 0
    assert (times == 1).all()


def test_a_window_sees_what_earlier_windows_found(monkeypatch, codec, model, detail):
    """With windows of 8 latents; their joints must not show in the cost."""
    whole = codec.encode(detail, 50, effort=EFFORT)
    monkeypatch.setattr(effort, "WHOLE", 1)
    monkeypatch.setattr(effort, "SIDE", 8)
    parts = codec.encode(detail, 50, effort=EFFORT)
    assert parts.data != whole.data
    costs = [cost(codec, model, detail, record, 50) for record in (whole, parts)]
    assert abs(costs[1] - costs[0]) < 0.02 * costs[0]


# -- one window, with a distortion that is easy to see through -----------------------------------


class Rates:
    """Two tables; the second one is always used. There zero costs nothing, and others 4 bits."""

    lengths = np.array([[8] * 32, [4] * 15 + [0] + [4] * 16], np.float32)

    def tables(self, symbols):
        return np.ones(symbols.shape, np.uint8)


def window(target, latents, weight, free=None, coded=2, **quantizer):
    """Distortion: the weighted squared distance of dequantized latents from a target."""

    class Distance:
        def seen(self, values):
            return float(weight * np.square(values - target).sum())

        def slopes(self, values):
            return np.float32(2 * weight) * (values - target)

    free = free or (slice(0, latents.shape[1]), slice(0, latents.shape[2]))
    how = {"step": np.ones(len(latents), np.float32), "predicted": [], "lowest": -15}
    return descent.Window(
        latents, free, coded, Rates(), descent.Quantizer(**how | quantizer), Distance()
    )


def flat(value, shape=(2, 4, 6)):
    return np.full(shape, value, np.float32)


def test_latents_move_to_the_target_where_that_is_worth_the_bits():
    assert (
        window(flat(5.0), flat(4.0), weight=40)
        .search(descent.Schedule(100, 0.4, 0.04), lambda _: None)
        .latents
        == 5
    ).all()


def test_latents_go_to_zero_where_they_are_not_worth_their_bits():
    assert (
        window(flat(0.8), flat(0.8), weight=0.5)
        .search(descent.Schedule(100, 0.4, 0.04), lambda _: None)
        .latents
        == 0
    ).all()


def test_it_keeps_the_latents_if_others_cost_more():
    """The slopes lead away from the target: no search can make this better."""

    class Distance:
        def seen(self, values):
            return float(100 * np.square(values - 1).sum())

        def slopes(self, values):
            return -100 * (values - 1)

    latents = flat(1.0)
    free = slice(0, 4), slice(0, 6)
    quantizer = descent.Quantizer(np.ones(2, np.float32), [], -15)
    made = descent.Window(latents, free, 2, Rates(), quantizer, Distance())
    assert made.search(descent.Schedule(40, 0.4, 0.04), lambda _: None) is None


def test_only_free_latents_of_coded_channels_move():
    found = (
        window(flat(5.0), flat(4.0), 40, (slice(1, 3), slice(2, 6)), 1)
        .search(descent.Schedule(100, 0.4, 0.04), lambda _: None)
        .latents
    )
    expected = flat(4.0)
    expected[0, 1:3, 2:6] = 5
    np.testing.assert_array_equal(found, expected)


def test_predicted_channels_pay_for_differences():
    """A plane of ones costs nothing but its corner, so here ones are worth their bits."""
    ones = window(flat(0.8), flat(0.8), weight=0.5, predicted=[0, 1])
    assert ones.search(descent.Schedule(100, 0.4, 0.04), lambda _: None) is None


def test_without_excess_latents_stay_in_the_codebook():
    found = (
        window(flat(30.0), flat(14.0), 40, clips=16)
        .search(descent.Schedule(200, 0.4, 0.04), lambda _: None)
        .latents
    )
    assert found.max() == 16


def test_it_tells_how_far_it_is():
    shares = []
    window(flat(5.0), flat(3.0), 40).search(descent.Schedule(4, 0.4, 0.04), shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]
