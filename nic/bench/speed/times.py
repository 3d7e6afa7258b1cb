"""Seconds and memory of nic's networks, stages and programs on this machine.

"Network" is only inference; "codec" is everything from pixels to the bytes of a file in memory, or
back. The tables of the reference codec call them DCN and AFI. Every call is made once to warm up
and then repeated. Rows have medians and quartiles.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from nic.bench import machine
from nic.bench.codecs import nic_coder
from nic.bench.pictures import load
from nic.bench.speed import material, programs, reference, stages
from nic.bench.speed.published import PUBLISHED
from nic.bench.speed.timing import Timing, sample, sample_in_turn
from nic.errors import ModelError, NicError, UsageError
from nic.models import zoo
from nic.settings import BackendName
from nic.transform import backends as backends
from nic.types import Pixels

Row = dict[str, Any]
Progress = Callable[[str], None]
SIZES = ((512, 512), (1920, 1080))  # width, height, as in the reference's tables
STARTS = 5  # runs of every program, to measure its start
RUNS = 3  # runs of nic compress and nic decompress


@dataclass(frozen=True)
class Place:
    """Where networks run."""

    backend: BackendName
    device: str


# The smallest first: a loaded framework keeps its memory for the rest of the run.
PLACES = (
    Place("native", "cpu"),
    Place("keras", "cpu"),
    Place("keras", "gpu"),
)


@dataclass(frozen=True)
class Setup:
    """The calls to time. Without ``paths`` a picture is made; without ``places`` all are timed."""

    models: tuple[str, ...] = (zoo.DEFAULT,)
    sizes: tuple[tuple[int, int], ...] = SIZES
    paths: tuple[Path, ...] = ()
    places: tuple[Place, ...] = ()
    quality: float | None = None  # None: the model's default
    repeats: int = 7
    with_reference: bool = True


def measure(setup: Setup, progress: Progress = lambda what: None) -> Row:
    """Time everything; return the report, as a dict for JSON.

    After an interrupt the report has only what was finished.

    Args:
        setup: what to time.
        progress: called at most ``steps`` times, with a text about what comes next.
    Raises: ModelError, UsageError, CorruptError.
    """
    report: Row = {
        "kind": "speed",
        "machine": machine.describe(),
        "complete": False,
        "repeats": setup.repeats,
        "pictures": [path.name for path in setup.paths] or ["a made picture"],
        "missing": [],
        "programs": [],
        "rows": [],
        "published": [row._asdict() for row in PUBLISHED],
    }
    sources = [load(path) for path in setup.paths]
    try:
        with tempfile.TemporaryDirectory() as name:
            _fill(report, setup, sources, Path(name), progress)
        report["complete"] = True
    except KeyboardInterrupt:
        pass  # report["complete"] says so
    return report


def steps(setup: Setup) -> int:
    """How often ``measure`` reports progress when nothing is missing."""
    own = len(stages.CODEC + stages.FORWARD + stages.BACKWARD) + 1
    per_size = len(stages.NETWORK) + len(setup.models) * own
    per_place = 1 + setup.with_reference + len(setup.sizes) * per_size
    return 1 + len(setup.places or PLACES) * per_place


def _fill(
    report: Row, setup: Setup, sources: Sequence[Pixels], folder: Path, progress: Progress
) -> None:
    progress("start of the programs")
    for row in programs.start_up(folder, STARTS):
        report["programs"].append(row)  # one by one, so that an interrupt keeps earlier rows
    for place in setup.places or PLACES:
        progress(_name(place))
        try:
            bench = _Bench(setup, place, sources, folder, progress)
        except (ModelError, UsageError) as reason:
            if setup.places:
                raise
            report["missing"].append(f"{_name(place)}: {reason}")
            continue
        for row in bench.rows(report["missing"]):
            report["rows"].append(row)


def _name(place: Place) -> str:
    return f"{place.backend} on {place.device}"


class _Bench:
    """Timing in one place."""

    def __init__(
        self,
        setup: Setup,
        place: Place,
        sources: Sequence[Pixels],
        folder: Path,
        progress: Progress,
    ) -> None:
        self._setup, self._place, self._sources = setup, place, sources
        self._folder, self._progress = folder, progress
        self._models = {name: zoo.by_name(name) for name in setup.models}
        self._networks = {
            name: backends.load(model, place.backend, place.device)
            for name, model in self._models.items()
        }

    def rows(self, missing: list[str]) -> Iterator[Row]:
        """Yield a row per size, codec and call; add a line to ``missing`` if dcn cannot run."""
        networks = {(f"nic {n}", self._title(n)): net for n, net in self._networks.items()}
        if self._setup.with_reference and (other := self._reference(missing)) is not None:
            networks[reference.NAME, reference.NAME] = other
        for width, height in self._setup.sizes:
            pictures = [material.cut(source, width, height) for source in self._sources]
            pictures = pictures or [material.made(width, height)]
            yield from self._in_turn(networks, pictures)
            for name in self._models:
                yield from self._own(name, pictures)

    def _in_turn(
        self, networks: dict[tuple[str, str], backends.Backend], pictures: Sequence[Pixels]
    ) -> Iterator[Row]:
        """Yield rows of all networks, timed in turn, so that other load affects all equally."""
        calls = [[stages.network_calls(x, net) for x in pictures] for net in networks.values()]
        heads = [self._head(*names, pictures[0]) for names in networks]
        for stage in stages.NETWORK:
            self._tell("networks", heads[0], stage)
            per_picture = [
                sample_in_turn([of[stage] for of in each], self._setup.repeats)
                for each in zip(*calls, strict=True)
            ]
            for head, seconds in zip(heads, zip(*per_picture, strict=True), strict=True):
                yield {**head, "stage": stage, **Timing.of([*chain(*seconds)]).row()}

    def _own(self, name: str, pictures: Sequence[Pixels]) -> Iterator[Row]:
        """Yield rows of the codec, its stages and its programs with one of nic's models."""
        model, network = self._models[name], self._networks[name]
        quality = self._setup.quality or model.default_quality
        coder = nic_coder(name, self._place.backend, self._place.device)
        calls = [
            stages.codec_calls(pixels, coder, quality)
            | stages.stage_calls(pixels, model, network, quality)
            for pixels in pictures
        ]
        head = self._head(f"nic {name}", self._title(name), pictures[0])
        for stage in calls[0]:
            self._tell(head["title"], head, stage)
            seconds = [s for each in calls for s in sample(each[stage], self._setup.repeats)]
            yield {**head, "stage": stage, **Timing.of(seconds).row()}
        self._tell(head["title"], head, "programs")
        options = ["--backend", self._place.backend, "--device", self._place.device]
        choice = ["--model", name, "-q", f"{quality:g}"]
        for row in programs.whole(pictures[0], choice, options, self._folder, RUNS):
            yield {**head, "stage": row.pop("program"), **row}

    def _tell(self, who: str, head: Row, what: str) -> None:
        size = f"{head['width']}x{head['height']}"
        self._progress(f"{who}, {_name(self._place)}, {size}: {what}")

    def _title(self, name: str) -> str:
        return f"nic {self._models[name].name}-{self._models[name].version}"

    def _head(self, codec: str, title: str, pixels: Pixels) -> Row:
        height, width = pixels.shape[:2]
        size = {"width": width, "height": height}
        return {"codec": codec, "title": title, **asdict(self._place), **size}

    def _reference(self, missing: list[str]) -> backends.Backend | None:
        self._progress(f"{reference.NAME}: building it")
        model = next(iter(self._models.values()))
        try:
            return reference.load(self._place.backend, self._place.device, model)
        except NicError as reason:
            missing.append(str(reason))
            return None
