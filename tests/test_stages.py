"""The stages together: any picture, saved and resumed at any stage, on the installed model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from records import from_bytes, latents, planes, reread, to_bytes

from nic.codec import Codec
from nic.errors import ModelError, UsageError
from nic.format.header import MAX_SIDE, Colour
from nic.format.records import Stage, size
from nic.picture import readers
from nic.picture.metrics import psnr

LATER = (Stage.SYMBOLS, Stage.CODED, Stage.PACKED)


def picture(height, width, grey, seed):
    """Anything between flat and noise: uint8 (H, W, 3) or (H, W)."""
    rng = np.random.default_rng(seed)
    shape = (height, width) if grey else (height, width, 3)
    spread = rng.choice([0, 3, 40, 255])
    return np.clip(rng.integers(256) + rng.normal(0, spread, shape), 0, 255).astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(
    st.builds(picture, st.integers(1, 70), st.integers(1, 70), st.booleans(), st.integers(0, 999)),
    st.none() | st.sampled_from([1, 33.33, 100]),
    st.none() | st.sampled_from([1, 2, 16, 64]),
)
@example(picture(1, 1, False, 1), None, None)
@example(picture(1, 70, True, 2), 100, 1)
def test_any_picture_survives_every_stage(codec, source, quality, channels):
    """Each record is written, read, taken to every later stage, and decoded."""
    record = reread(codec.encode(source, quality, channels))
    last = reread(codec.forward(record, Stage.PACKED))
    decoded = {Stage.LATENTS: codec.decode(record).pixels}
    while record.stage < Stage.PACKED:
        for target in LATER[record.stage - 1 :]:
            assert codec.forward(record, target).stage == target
        assert to_bytes(codec.forward(record, Stage.PACKED)) == to_bytes(last)
        record = reread(codec.forward(record, Stage(record.stage + 1)))
        decoded[record.stage] = codec.decode(record).pixels
    for pixels in decoded.values():
        assert pixels.dtype == np.uint8
        assert pixels.shape == source.shape
    for stage in LATER[1:]:
        assert (decoded[stage] == decoded[Stage.SYMBOLS]).all()
    assert record.header.colour == (Colour.GREY if source.ndim == 2 else Colour.RGB)


def test_symbols_after_coding_are_the_symbols_before(codec, stages):
    before = planes(from_bytes(stages["symbols"]))
    for stage in ("coded", "packed"):
        assert (planes(codec.to_symbols(from_bytes(stages[stage]))) == before).all()


def test_a_photograph_is_recognisable_and_small(codec, photographs):
    """What any trained model must reach at its default quality."""
    source = photographs["astronaut"]
    packed = codec.forward(codec.encode(source), Stage.PACKED)
    assert psnr(source, codec.decode(packed).pixels) > 28
    assert 8 * size(packed) / (512 * 512) < 2


def test_quality_buys_fidelity_with_bytes(codec, photographs):
    source = photographs["chelsea"][:256, :256]
    record = codec.encode(source)
    coded = [codec.forward(record, Stage.PACKED, quality) for quality in (1, 50, 100)]
    sizes = [size(r) for r in coded]
    scores = [psnr(source, codec.decode(r).pixels) for r in coded]
    assert sizes == sorted(sizes)
    assert scores == sorted(scores)
    assert len(set(sizes)) == len(set(scores)) == 3


def test_latents_keep_more_than_symbols(codec, photographs):
    """Decoding them is the transform alone, without the loss of the quantizer."""
    source = photographs["chelsea"][:128, :128]
    record = codec.encode(source, quality=10)
    quantized = codec.forward(record, Stage.SYMBOLS)
    whole, coarse = codec.decode(record).pixels, codec.decode(quantized).pixels
    assert psnr(source, whole) > psnr(source, coarse)


def test_grey_pictures_cost_less_and_stay_grey(codec, photographs):
    grey = photographs["coffee"].mean(axis=2).astype(np.uint8)
    packed = codec.forward(codec.encode(grey), Stage.PACKED)
    assert codec.decode(packed).pixels.ndim == 2
    assert psnr(grey, codec.decode(packed).pixels) > 28


def test_a_picture_does_not_depend_on_the_ones_before_it(pixels, stages):
    codec = Codec()
    codec.encode(pixels[:7, :9])
    codec.decode(codec.encode(pixels[:, ::-1]))
    assert to_bytes(codec.encode(pixels, name="small")) == stages["latents"]


def test_history_and_name_travel_until_packing(stages):
    coded, packed = from_bytes(stages["coded"]), from_bytes(stages["packed"])
    assert coded.header.history == ("encode", "quantize", "entropy")
    assert coded.header.name == "small"
    assert packed.header.history == ()
    assert packed.header.name is None


def test_a_record_at_the_target_or_beyond_is_refused_with_the_tool_to_use(codec, stages):
    with pytest.raises(UsageError, match=r"a packed file already.*nic-decode"):
        codec.forward(from_bytes(stages["packed"]), Stage.SYMBOLS)
    with pytest.raises(UsageError, match=r"symbols already.*nic-entropy"):
        codec.forward(from_bytes(stages["symbols"]), Stage.SYMBOLS)


@pytest.mark.parametrize("shape", [(1, MAX_SIDE + 1, 3), (MAX_SIDE + 1, 1), (1 << 16, 1 << 15)])
def test_a_picture_too_large_for_the_format_is_refused(codec, shape):
    with pytest.raises(UsageError, match="cannot be coded"):
        codec.encode(np.broadcast_to(np.uint8(0), shape))


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (0, 0)])
def test_a_picture_without_pixels_is_refused(codec, shape):
    with pytest.raises(UsageError, match="cannot be coded"):
        codec.encode(np.zeros(shape, np.uint8))


def test_more_channels_than_the_model_has_are_refused(codec, pixels):
    with pytest.raises(UsageError, match="200 channels"):
        codec.encode(pixels, channels=200)


def test_a_stream_of_an_unknown_model_is_refused(codec, stages):
    record = from_bytes(stages["packed"])
    strange = replace(record, header=replace(record.header, model="01234567"))
    with pytest.raises(ModelError, match="01234567"):
        codec.decode(strange)


def test_latents_that_the_model_does_not_make_are_refused(codec, model):
    with pytest.raises(UsageError, match="latents"):
        codec.decode(latents(np.zeros((1, 1, model.channels + 1)), model=model.id))


def test_kodak_pictures_are_coded_well(codec, kodak):
    """Two of them: a model that falls behind its own first training run is broken."""
    for path in kodak[:2]:
        source = readers.read(path.read_bytes()).pixels
        packed = codec.forward(codec.encode(source), Stage.PACKED)
        assert psnr(source, codec.decode(packed).pixels) > 28
