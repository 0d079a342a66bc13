"""--checkpoint, --every and --resume of a training run."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from pyhpmp import Plan, Trainer, checkpoint, world
from pyhpmp.commands.recipe import Recipe
from pyhpmp.commands.terminal import Reporter
from pyhpmp.data import Dataset
from pyhpmp.errors import InvalidArgumentError

#: Of facts that older checkpoints do not name.
DEFAULTS = {"augment": "none"}


@dataclass(frozen=True)
class Checkpoints:
    """folder: empty for none. every: steps between two. facts: that a resumed run must share."""

    folder: str
    every: int
    facts: dict[str, str]

    def resume(self, trainer: Trainer, recipe: Recipe, say: Reporter) -> None:
        """Sets the trainer to the newest checkpoint. Collective."""
        found = world.current().on_root(lambda: checkpoint.newest(self.folder))
        if found is None:
            say.note(f"no checkpoint in {self.folder} yet: starting from the model's weights")
            return
        state = self._loaded(str(found))
        self._check(state, recipe, trainer.plan.core.optimizer)
        trainer.restore(state)
        say.note(f"going on from {found}, after step {state.step}")

    def _loaded(self, path: str) -> checkpoint.Checkpoint:
        whole: list[checkpoint.Checkpoint] = []

        def read() -> checkpoint.Checkpoint:
            whole.append(checkpoint.load(path))
            return replace(whole[0], weights={}, state={})

        bare = world.current().on_root(read)
        return whole[0] if whole else bare

    def _check(self, state: checkpoint.Checkpoint, recipe: Recipe, optimizer: str) -> None:
        made = DEFAULTS | state.facts | {"optimizer": state.optimizer}
        for name, value in (self.facts | {"optimizer": optimizer}).items():
            if made.get(name) != value:
                raise InvalidArgumentError(
                    f"the checkpoint in {self.folder} was made with --{name} {made.get(name)}, "
                    f"this run has {value}; use the same, or another --checkpoint folder"
                )
        if state.step >= recipe.steps:
            raise InvalidArgumentError(
                f"the checkpoint in {self.folder} has all of the {recipe.steps} steps; "
                "ask for more --epochs or --steps"
            )

    def after(self, trainer: Trainer, last: bool) -> None:
        """Saves where it is time to. Collective."""
        if not self.folder or (trainer.steps % self.every and not last):
            return
        state = replace(trainer.checkpoint(), facts=self.facts)
        world.current().on_root(lambda: checkpoint.save(self.folder, state) and None)


def checkpoints_of(
    arguments: argparse.Namespace, data: Dataset, plan: Plan, recipe: Recipe
) -> Checkpoints:
    """Raises InvalidArgumentError where --every or --resume stand alone. Collective."""
    folder = arguments.checkpoint or ""
    if not folder and (arguments.every or arguments.resume):
        raise InvalidArgumentError("--every and --resume need --checkpoint DIR")
    if folder:
        world.current().on_root(lambda: checkpoint.prepare_folder(folder))
    facts = {
        "batch": str(plan.batch),
        "seed": str(recipe.seed),
        "data": data.name,
        "augment": recipe.augment,
    }
    return Checkpoints(folder, arguments.every or recipe.epoch_steps, facts)
