"""The common body of the programs that take records one stage further."""

from nic.cli.common.files import for_each_record, writing
from nic.codec import Codec
from nic.format.records import Stage, write_record


def advance(
    files: tuple[str, ...],
    output: str | None,
    force: bool,
    target: Stage,
    quality: float | None = None,
    channels: int | None = None,
) -> None:
    """Read every record of ``files``, bring it to ``target`` and write it."""
    run = Codec()
    with writing(output, force) as out:
        for_each_record(
            files,
            lambda record: write_record(out, run.forward(record, target, quality, channels)),
        )
