"""An installed model's transforms as Keras models."""

import keras

from nic.errors import ModelError
from nic.models import dcn, networks
from nic.models.config import TransformConfig
from nic.models.zoo import Model


def _built(model: Model) -> dict[str, keras.Model]:
    """Both transforms with random weights."""
    if model.is_reference:
        latents = model.channels
        return {"analysis": dcn.analysis(latents), "synthesis": dcn.synthesis(latents)}
    config = TransformConfig.from_table(model.definition["transform"])
    return {"analysis": networks.analysis(config), "synthesis": networks.synthesis(config)}


def load_networks(model: Model) -> tuple[keras.Model, keras.Model]:
    """The analysis and synthesis transforms of an installed model. Raises ModelError."""
    both = _built(model)
    for name, network in both.items():
        weights = model.weights(name)
        for variable in network.weights:
            found = weights.get(variable.path)
            if found is None or found.shape != tuple(variable.shape):
                raise ModelError(f"model {model.name}: no {variable.path} of {variable.shape}")
            variable.assign(found)
    return both["analysis"], both["synthesis"]
