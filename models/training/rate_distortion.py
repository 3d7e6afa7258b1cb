"""Rate-distortion training of a model family.

One network serves all rates: each rate point has a gain per channel, and gains are interpolated
geometrically between rate points. The rate is counted for latents with additive uniform noise, the
distortion for latents with straight-through rounding. The DC-like channels are predicted for both.
Nothing is clipped to the codebook, as a file codes the excess of values beyond it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nic.models import networks
from nic.models.config import ModelConfig, TrainingConfig
from nic.models.distortion.measures import MEASURES
from nic.models.prediction import median_edge
from nic.models.training.entropy_model import EntropyModel

GAIN_SPEED = 4.0  # how many times faster than weights the log gains are trained
# Orthonormal coefficients quantized with step D (in 255ths) have the distortion D^2/12 each, and
# 6.02 dB per bit. So dL/dR = 0 at lambda * D^2 = 3 * 12 / (2 ln 2) = 26.
DCT_STEP = 26.0


class Batch(NamedTuple):
    """The data of one training step; patches are given as places in the pictures."""

    places: NDArray[np.int32]  # (B, 3), see Pictures.places
    rest: dict[str, NDArray[np.float32]]  # further inputs of the model
    target: NDArray[np.float32]  # (B, 1), first argument of the loss

    def inputs(self, pixels: keras.KerasTensor, size: int) -> Any:
        """The model's inputs: the patches, cut from ``pixels``, and the rest if there is any."""
        picture = cut(pixels, self.places, size)
        return {"picture": picture, **self.rest} if self.rest else picture


class RateDistortion(keras.Model):
    """Both transforms, the gains and the entropy model; maps a batch to its rate and distortion."""

    def __init__(self, config: ModelConfig, sample: NDArray[np.uint8]) -> None:
        """``sample``: training patches, uint8 (B, H, W, 3), for the order of the DCT filters."""
        super().__init__(name=config.name, dtype="float32")
        self.config = config
        self.analysis = networks.analysis(config.transform)
        self.synthesis = networks.synthesis(config.transform)
        filters, deviation = networks.dct_order(sample)
        networks.start_as_dct(self.analysis, self.synthesis, filters)
        gain = 255 * np.sqrt(np.array(config.rate.lambdas) / DCT_STEP)
        gain = np.repeat(gain[:, None], config.transform.latents, axis=1)
        self.log_gain = self._log_gain(np.log(gain), "log_gain")
        self.log_step = self._log_gain(-np.log(gain), "log_step")
        self.entropy_model = EntropyModel(config.rate, gain * deviation[: config.transform.latents])
        self.noise = keras.random.SeedGenerator(config.training.seed)
        predicted = np.zeros(config.transform.latents, "float32")
        predicted[list(config.rate.predicted)] = 1
        self.predicted = predicted

    def _log_gain(self, value: NDArray[np.float64], name: str) -> keras.Variable:
        start = keras.initializers.Constant(value / GAIN_SPEED)
        return self.add_weight(shape=value.shape, initializer=start, name=name)

    def call(self, inputs: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
        """Rate and distortion of each patch.

        Args: inputs: ``picture`` (B, H, W, 3) in [0, 1]; ``level`` (B, L), weights of the rate
            points; ``mask`` (B, C), 1 for channels that are coded, else 0.
        Returns: (B, 2): bits per pixel, and distortion in units of squared error of [0, 1]
            pixels.
        """
        picture, level, mask = inputs["picture"], inputs["level"], inputs["mask"]
        kept = mask[:, None, None]  # (B, 1, 1, C)
        scaled = self.analysis(picture) * self._per_channel(self.log_gain, level) * kept
        rounded = scaled + ops.stop_gradient(ops.round(scaled) - scaled)
        prediction = median_edge(rounded) * ops.convert_to_tensor(self.predicted)
        symbols = rounded - prediction
        noise = keras.random.uniform(ops.shape(scaled), -0.5, 0.5, seed=self.noise)
        bits = self.entropy_model(scaled + noise - prediction, symbols, level, mask)
        decoded = (symbols + prediction) * self._per_channel(self.log_step, level) * kept
        distortion = MEASURES[self.config.training.distortion]
        error = distortion(picture, self.synthesis(decoded))
        _, height, width, _ = ops.shape(picture)
        return ops.stack([bits / (height * width), error], axis=-1)

    def _per_channel(self, log: keras.Variable, level: keras.KerasTensor) -> keras.KerasTensor:
        return ops.exp(ops.matmul(level, log * GAIN_SPEED))[:, None, None]

    def balance(self) -> None:
        """Make gain times step 1 at the highest rate point, in place; symbols do not change.

        Gain and step are trained separately, so dequantized latents are scaled by their product,
        which is about the same at every rate point. This scale is moved into the analysis
        transform. Then the synthesis transform can also decode latents that were not quantized.
        """
        log_scale = (self.log_gain + self.log_step)[-1] * GAIN_SPEED  # (C,)
        for variable in self.analysis.get_layer("latents").weights:
            variable.assign(variable * ops.exp(log_scale))
        self.log_gain.assign(self.log_gain - log_scale / GAIN_SPEED)

    def start_from(self, other: "RateDistortion") -> None:
        """Copy the weights of ``other``, which may be a smaller network, in place.

        Blocks and latents that only this model has keep their start: near the identity, and as
        further DCT coefficients. Rate points may differ: gains, steps and the entropy model's
        levels are interpolated over log lambda, and extrapolated beyond the ends. All other shapes
        must be the same.
        """
        for own, theirs in zip(self._parts(), other._parts(), strict=True):
            # Paths of gains and steps begin with the name of the family.
            known = {v.path.removeprefix(f"{other.name}/"): v for v in theirs}
            for variable in own:
                path = variable.path.removeprefix(f"{self.name}/")
                if path in known:
                    value = np.array(ops.convert_to_numpy(variable))
                    learned = self._at_rate_points(known[path], other.config)
                    value[tuple(slice(n) for n in learned.shape)] = learned
                    variable.assign(value)

    def _parts(self) -> list[list[keras.Variable]]:
        """The variables, by parts within which their paths are unique."""
        parts = [part.weights for part in (self.analysis, self.synthesis, self.entropy_model)]
        return [*parts, [self.log_gain, self.log_step]]

    def _at_rate_points(self, variable: keras.Variable, config: ModelConfig) -> NDArray[Any]:
        """The values of another model's variable, interpolated to the rate points of this one."""
        value = np.asarray(ops.convert_to_numpy(variable))
        if variable.path.rpartition("/")[2] not in ("log_gain", "log_step", "level", "frequency"):
            return value
        known, wanted = np.log(config.rate.lambdas), np.log(self.config.rate.lambdas)
        first = np.clip(np.searchsorted(known, wanted) - 1, 0, len(known) - 2)
        share = (wanted - known[first]) / (known[first + 1] - known[first])
        return np.asarray(value[first] + share[:, None] * (value[first + 1] - value[first]))

    def tables(self) -> dict[str, NDArray[np.float32]]:
        """The gains and the steps, float32 (L, C) each, for the quantizer."""
        return {
            name: np.exp(ops.convert_to_numpy(log) * GAIN_SPEED).astype("float32")
            for name, log in (("gain", self.log_gain), ("step", self.log_step))
        }


def loss(lambdas: keras.KerasTensor, rate_distortion: keras.KerasTensor) -> keras.KerasTensor:
    """The mean of (lambda * 255^2 * MSE + bpp) / sqrt(lambda), which balances rate points."""
    bpp, mse = rate_distortion[:, 0], rate_distortion[:, 1]
    weight = lambdas[:, 0]
    return ops.mean((weight * 255**2 * mse + bpp) / ops.sqrt(weight))


def batches(config: ModelConfig, pictures: "Pictures", rng: np.random.Generator) -> Iterator[Batch]:
    """Yield batches without end for ``RateDistortion``; the target of a patch is its lambda."""
    train, levels = config.training, len(config.rate.lambdas)
    channels = config.transform.latents
    while True:
        places = pictures.places(train.batch, train.patch, rng)
        at = np.clip(rng.uniform(-0.5, levels - 0.5, train.batch), 0, levels - 1)
        level = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(levels)))
        mask = np.ones((train.batch, channels), "float32")
        for i in np.flatnonzero(at <= train.prefix_levels):
            if rng.random() < train.prefix_share:
                mask[i, rng.choice(train.prefixes) :] = 0
        lambdas = np.exp(level @ np.log(config.rate.lambdas))[:, None]
        rest = {"level": level.astype("float32"), "mask": mask}
        yield Batch(places, rest, lambdas.astype("float32"))


def plain_batches(
    config: TrainingConfig, pictures: "Pictures", rng: np.random.Generator
) -> Iterator[Batch]:
    """Yield batches without end that have only patches, for a loss without targets."""
    while True:
        places = pictures.places(config.batch, config.patch, rng)
        yield Batch(places, {}, np.zeros((config.batch, 1), "float32"))


class Pictures:
    """Training pictures in the memory of the device, where patches are cut from them."""

    def __init__(
        self,
        pictures: list[NDArray[np.uint8]],
        made: Sequence[NDArray[np.uint8]] = (),
        share: float = 0.0,
    ) -> None:
        """Copy the pictures to the device.

        Args:
            pictures, made: photographs and made pictures, uint8 (H, W, 3) each; less than 2^31
                pixels together.
            share: share of the patches that are cut from made pictures.
        Raises: ValueError for too many pixels.
        """
        self._count, self._share = len(pictures), share if made else 0.0
        pictures = [*pictures, *made]
        self._shapes = np.array([picture.shape[:2] for picture in pictures])
        self._starts = np.cumsum([0, *self._shapes.prod(axis=1)])
        if self._starts[-1] >= 2**31:
            raise ValueError(f"{self._starts[-1]} training pixels are too many for a 32-bit index")
        flat = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
        self.pixels = ops.convert_to_tensor(flat)  # (N, 3)

    def __len__(self) -> int:
        """Number of pictures, without the made ones."""
        return self._count

    def places(self, count: int, size: int, rng: np.random.Generator) -> NDArray[np.int32]:
        """Places of ``count`` random crops of ``size`` pixels, mirrored or transposed at random.

        Returns: int32 (count, 3): index of a crop's first pixel, and the distance in the index to
            the next pixel down and across.
        """
        chosen = rng.integers(self._count, size=count)
        if self._share:
            made = rng.integers(self._count, len(self._shapes), size=count)
            chosen = np.where(rng.random(count) < self._share, made, chosen)
        height, width = self._shapes[chosen].T
        y, x = rng.integers(height - size + 1), rng.integers(width - size + 1)
        mirrored, transposed = rng.random((2, count)) < 0.5
        x = np.where(mirrored, x + size - 1, x)  # a mirrored crop starts at its last column
        across = np.where(mirrored, -1, 1)
        down, across = np.where(transposed, (across, width), (width, across))
        return np.stack([self._starts[chosen] + y * width + x, down, across], 1).astype(np.int32)


def cut(pixels: keras.KerasTensor, places: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """Patches, float32 (B, S, S, 3) in [0, 1], from pixels uint8 (N, 3) and their places."""
    along = np.arange(size, dtype="int32")
    rows = places[:, :1] + places[:, 1:2] * along  # (B, S)
    at = rows[:, :, None] + (places[:, 2:] * along)[:, None]  # (B, S, S)
    return ops.cast(ops.take(pixels, at, axis=0), "float32") / 255
