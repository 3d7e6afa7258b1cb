"""Configuration of a model family: transform, rate points and training."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class _Section:
    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build from a TOML or JSON table. Raises ValueError on a key that is not a field."""
        known = {f.name for f in fields(cls)}
        if unknown := set(table) - known:
            raise ValueError(f"{cls.__name__}: unknown keys {sorted(unknown)}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})


@dataclass(frozen=True)
class TransformConfig(_Section):
    """Shape of the analysis and synthesis transforms; widths are numbers of channels."""

    latents: int = 80  # latent channels
    width: int = 96  # width of the blocks at latent resolution
    expansion: int = 2  # hidden width of a block, as a multiple of its width
    analysis_blocks: int = 9
    synthesis_blocks: int = 10
    half_width: int = 24  # width of the blocks at half the picture's resolution
    half_blocks: int = 1


@dataclass(frozen=True)
class RateConfig(_Section):
    """Rate points, and the prior with its classes.

    Attributes:
        lambdas: the weight of distortion at each rate point: the loss is
            lambda * 255^2 * MSE + bits per pixel.
        predicted: the DC-like latent channels, which are predicted from decoded neighbours.
        classes: number of classes.
        class_block: side of the block of latents that shares a class.
        mixture: number of logistics in the distribution of a channel in a class.
    """

    lambdas: tuple[float, ...] = (0.0018, 0.0035, 0.0067, 0.013, 0.025, 0.05, 0.1, 0.2)
    predicted: tuple[int, ...] = (0, 1, 2)
    classes: int = 32
    class_block: int = 2
    mixture: int = 2


@dataclass(frozen=True)
class TrainingConfig(_Section):
    """Loss, data and schedule of training."""

    seed: int = 1
    # Or "ms-ssim", which needs patches of at least 176 pixels, or "visual", of at least 256.
    distortion: str = "mse"
    optimizer: str = "adam"  # or "soap"
    made_share: float = 0.0  # share of the patches that are cut from made pictures
    batch: int = 8  # patches per step
    patch: int = 128  # side of a patch in pixels
    learning_rate: float = 5e-4
    final_learning_rate: float = 5e-6
    warm_up: int = 0  # steps at the start, in which the learning rate rises
    decay_from: float = 0.3  # share of the run after which the cosine decay starts
    ema: float = 0.999  # decay per step of the average of the weights
    prefixes: tuple[int, ...] = (16, 32, 64)  # numbers of leading channels to train for
    # This share of the patches at low rate points keep only such a prefix of the channels. Low
    # means up to this (fractional) index into ``lambdas``.
    prefix_share: float = 0.1
    prefix_levels: float = 1.5
    clip_norm: float = 1.0  # greatest norm of the gradient of all weights; 0: no clipping
    halve_every: int = 0  # epochs after which the learning rate is halved; 0: cosine decay


@dataclass(frozen=True)
class ModelConfig:
    """Everything that defines a model family, as read from ``models/configs/NAME.toml``."""

    name: str
    transform: TransformConfig
    rate: RateConfig
    training: TrainingConfig

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build from a TOML or JSON table. Raises ValueError on a key that is not a field."""
        if unknown := set(table) - {"name", "transform", "rate", "training"}:
            raise ValueError(f"unknown keys {sorted(unknown)}")
        return cls(
            name=str(table["name"]),
            transform=TransformConfig.from_table(table.get("transform", {})),
            rate=RateConfig.from_table(table.get("rate", {})),
            training=TrainingConfig.from_table(table.get("training", {})),
        )


@dataclass(frozen=True)
class DcnTransformConfig(_Section):
    """The only difference between the reference's transforms: their latent channels."""

    latents: int = 32


@dataclass(frozen=True)
class QuantizerConfig(_Section):
    """Sharpness of the soft codebook quantizer."""

    gamma: float = 25.0


@dataclass(frozen=True)
class DcnConfig:
    """A model of the reference family, as read from ``models/configs/dcn-*.toml``."""

    name: str
    transform: DcnTransformConfig
    quantizer: QuantizerConfig
    training: TrainingConfig
    family: str = "dcn"

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build from a TOML or JSON table. Raises ValueError on a key that is not a field."""
        if unknown := set(table) - {"name", "family", "transform", "quantizer", "training"}:
            raise ValueError(f"unknown keys {sorted(unknown)}")
        return cls(
            name=str(table["name"]),
            transform=DcnTransformConfig.from_table(table.get("transform", {})),
            quantizer=QuantizerConfig.from_table(table.get("quantizer", {})),
            training=TrainingConfig.from_table(table.get("training", {})),
        )


def load_config(path: Path) -> ModelConfig | DcnConfig:
    """Read a TOML file. Raises OSError, or ValueError (tomllib.TOMLDecodeError is one)."""
    return config_of(tomllib.loads(path.read_text(encoding="utf-8")))


def config_of(table: Mapping[str, Any]) -> ModelConfig | DcnConfig:
    """Build from a TOML or JSON table. Raises ValueError."""
    if table.get("family") == "dcn":
        return DcnConfig.from_table(table)
    return ModelConfig.from_table(table)
