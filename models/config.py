"""Configuration of one model family: the transform, its rate points, and its training."""

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
    """Shape of the analysis and synthesis transforms; channel counts unless said otherwise."""

    latents: int = 80
    width: int = 96  # of the blocks at latent resolution
    expansion: int = 2  # hidden width of a block, as a multiple of its width
    analysis_blocks: int = 9
    synthesis_blocks: int = 10
    half_width: int = 24  # of the blocks at half picture resolution
    half_blocks: int = 1


@dataclass(frozen=True)
class RateConfig(_Section):
    """Rate points and the class-conditioned prior.

    ``lambdas`` weigh distortion: the loss is lambda * 255^2 * MSE + bits per pixel.
    ``predicted`` names the DC-like latent channels that are coded as residuals of their
    decoded neighbours. A class is chosen for every ``class_block`` x ``class_block`` latents.
    """

    lambdas: tuple[float, ...] = (0.0018, 0.0035, 0.0067, 0.013, 0.025, 0.05, 0.1, 0.2)
    predicted: tuple[int, ...] = (0, 1, 2)
    classes: int = 32
    class_block: int = 2
    mixture: int = 2


@dataclass(frozen=True)
class TrainingConfig(_Section):
    """Schedule. ``decay_from`` is the fraction of the run after which the cosine starts."""

    seed: int = 1
    # Or "ms-ssim", which takes patches of 176 pixels or more, or "visual", of 256 or more.
    distortion: str = "mse"
    optimizer: str = "adam"  # or "soap"
    made_share: float = 0.0  # of the patches that are cut from made pictures
    batch: int = 8
    patch: int = 128  # pixels, square
    learning_rate: float = 5e-4
    final_learning_rate: float = 5e-6
    warm_up: int = 0  # steps at the start, in which the rate rises to ``learning_rate``
    decay_from: float = 0.3
    ema: float = 0.999
    prefixes: tuple[int, ...] = (16, 32, 64)
    prefix_share: float = 0.1  # of the patches at the lowest rate points
    prefix_levels: float = 1.5  # ... those below this (fractional) index into ``lambdas``
    clip_norm: float = 1.0  # of the gradient of all weights; 0 is no clipping
    halve_every: int = 0  # epochs of a rate that is halved in place of the cosine; 0 is never


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
    """Latent channels: all that the reference's transforms differ in."""

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
    """Read a TOML config. Raises OSError, tomllib.TOMLDecodeError or ValueError."""
    return config_of(tomllib.loads(path.read_text(encoding="utf-8")))


def config_of(table: Mapping[str, Any]) -> ModelConfig | DcnConfig:
    """Build from a TOML or JSON table. Raises ValueError."""
    if table.get("family") == "dcn":
        return DcnConfig.from_table(table)
    return ModelConfig.from_table(table)
