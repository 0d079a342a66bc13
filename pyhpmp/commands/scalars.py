"""--log: the scalars of a training run, as TensorBoard reads them; written with tensorboardX."""

from __future__ import annotations

from typing import Any

from pyhpmp import world
from pyhpmp.checkpoint import prepare_folder
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.scores import Scores


def check_log(folder: str) -> None:
    """Makes the folder. Raises InvalidArgumentError where nothing could be written into it."""
    _writer_class()
    prepare_folder(folder)


class Scalars:
    """Rank 0 writes; an empty folder, and any other rank, writes nothing.

    steps: that were made before; what an earlier run wrote of later ones is hidden.
    """

    def __init__(self, folder: str, steps: int = 0) -> None:
        self._writer: Any = None
        if folder and world.current().is_root:
            # Its files are named by the second, which a resumed run may share with the one before.
            suffix = f".{steps}"
            self._writer = _writer_class()(folder, purge_step=steps + 1, filename_suffix=suffix)

    def step(
        self, step: int, loss: float, accuracy: float, learning_rate: float, samples: float
    ) -> None:
        """Of a step of training. samples: per second."""
        self._add(
            "train",
            step,
            loss=loss,
            accuracy=accuracy,
            learning_rate=learning_rate,
            samples_per_second=samples,
        )

    def test(self, step: int, scores: Scores) -> None:
        """Of the test part after a step."""
        iou = {} if scores.mean_iou is None else {"mean_iou": scores.mean_iou}
        self._add("test", step, loss=scores.loss, accuracy=scores.accuracy, **iou)
        if self._writer is not None:
            self._writer.flush()

    def _add(self, part: str, step: int, **values: float) -> None:
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(f"{part}/{name}", value, step)

    def close(self) -> None:
        """What was written is in the file."""
        if self._writer is not None:
            self._writer.close()


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InvalidArgumentError(
            "--log needs tensorboardX: pip install tensorboardX, or leave --log out"
        ) from error
    return SummaryWriter
