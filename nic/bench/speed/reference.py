"""The reference network ("dcn"), built here and timed in the same way as nic's networks.

Its weights are random, as they do not change the time.
"""

from nic.errors import ModelError
from nic.models import zoo
from nic.models.keras_backend import KerasBackend
from nic.models.native import layers
from nic.transform import backends as backends
from nic.transform.tiles import Tiled

CHANNELS = 32
NAME = f"dcn, {CHANNELS} channels"


def load(backend: str, device: str, model: zoo.Model) -> backends.Backend:
    """The reference network on a backend.

    Args:
        backend: ``native`` or ``keras``.
        device: where Keras runs.
        model: any installed model; Keras is started with it, as for nic's networks.
    Raises: ModelError when Keras is not installed.
    """
    if backend == "native":
        return _Native(model)
    try:
        return Tiled(_Keras(model, device))
    except ModelError as error:
        raise ModelError(f"{NAME}, on {backend}: {error}") from error


class _Native(backends.NativeBackend):
    """The native backend with the reference network in place of the model's."""

    def _layers(self, name: str) -> layers.Transform:
        return layers.dcn_of_random_weights(name, CHANNELS)


class _Keras(KerasBackend):
    """A Keras backend with the reference network in place of the model's."""

    def __init__(self, model: zoo.Model, device: str) -> None:
        super().__init__(model, device)
        from nic.models import dcn

        with self._keras.device(self._device):
            self._analysis, self._synthesis = dcn.analysis(CHANNELS), dcn.synthesis(CHANNELS)
