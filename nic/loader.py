"""Loading of models and networks, each once, when it is first needed."""

from typing import TYPE_CHECKING

from nic.errors import UsageError
from nic.format.header import Header
from nic.models import zoo
from nic.models.tables import Prior
from nic.resources import cores
from nic.settings import Settings
from nic.transform import backends

if TYPE_CHECKING:
    from nic.models.native.gradient import Synthesis


class Loader:
    """The models that streams and settings name, and their networks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chosen: tuple[zoo.Model, int | None] | None = None
        self._models: dict[str, zoo.Model] = {}
        self._transforms: dict[str, backends.Backend] = {}
        self._syntheses: dict[str, Synthesis] = {}

    def to_encode_with(self, channels: int | None) -> tuple[zoo.Model, int | None]:
        """The model that the settings name, and how many of its channels are coded.

        Args: channels: the number that was asked for; None for as many as the model's name stands
            for, or else for None, which means all.
        Raises: ModelError when the model is not installed, UsageError when it has fewer channels.
        """
        if self._chosen is None:
            self._chosen = zoo.by_choice(self._settings.model, self._settings.tune)
        model, usual = self._chosen
        channels = usual if channels is None else channels
        if channels is not None and not 1 <= channels <= model.channels:
            raise UsageError(f"cannot use {channels} channels; there are {model.channels}")
        self._models.setdefault(model.id, model)
        return model, channels

    def model(self, header: Header) -> zoo.Model:
        """The model that a header names.

        Raises: ModelError when it is not installed, UsageError when it has another number of
            latent channels.
        """
        if header.model not in self._models:
            self._models[header.model] = zoo.by_id(header.model)
        model = self._models[header.model]
        if header.latent_channels != model.channels:
            raise UsageError(f"the stream has latents that model {model.name} does not make")
        return model

    def tables(self, header: Header) -> Prior | None:
        """The entropy coder's tables of the model that a header names; None if it has none."""
        model = self.model(header)
        return model.prior if model.has_prior else None

    def transform(self, model: zoo.Model) -> backends.Backend:
        """Both transforms of a model, on the backend and device of the settings."""
        if model.id not in self._transforms:
            s = self._settings
            self._transforms[model.id] = backends.load(model, s.backend, s.device, s.threads)
        return self._transforms[model.id]

    def synthesis(self, model: zoo.Model) -> "Synthesis":
        """The synthesis of a model in native code, which gives slopes too."""
        if model.id not in self._syntheses:
            from nic.models.native.gradient import Synthesis
            from nic.models.native.layers import transform_of

            threads = self._settings.threads or cores()
            self._syntheses[model.id] = Synthesis(transform_of(model, "synthesis"), threads)
        return self._syntheses[model.id]
