"""The state of a training run after each epoch, so that a run that was killed can continue."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras

from catdog.errors import InvalidSettings
from train.networks.recipes import DEFAULTS


class Checkpoints:
    """Folders `epoch-NNNN` in the folder of a run, one for each epoch, of which the newest is kept.

    recipe   the recipe as a dict
    inputs   what else the result depends on, as JSON; a run with other ones is not continued
    restart  ignore the state of an earlier run, and remove it once there is a new one

    Raises InvalidSettings where the folder holds a run with another recipe or other inputs.
    """

    def __init__(self, run: Path, recipe: dict, inputs: dict, *, restart: bool = False):
        self.run = run
        self.outdated: set[Path] = set()
        if restart:
            self.outdated.update(self._folders())
        self.recipe, self.inputs, defaults = json.loads(json.dumps([recipe, inputs, DEFAULTS]))
        run.mkdir(parents=True, exist_ok=True)
        if state := self._state():
            # Runs of earlier versions did not record all of their inputs.
            other = _differences(defaults | state["recipe"], self.recipe)
            other += _differences(self.inputs | state.get("inputs", {}), self.inputs)
            if other:
                raise InvalidSettings(
                    f"{run} holds a run with other settings: {'; '.join(other)}. Repeat its settings to continue it, "
                    "choose another --run, or begin anew with --restart."
                )

    def history(self) -> list[dict]:
        """One row of figures for each finished epoch."""
        return self._state().get("history", [])

    def save(self, model: keras.Model, row: dict) -> None:
        """Write the state after one more epoch, then remove the one before."""
        history = [*self.history(), row]
        folder = self.run / f"epoch-{len(history):04d}"
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        model.save_weights(partial / "state.weights.h5")
        state = {"recipe": self.recipe, "inputs": self.inputs, "history": history}
        (partial / "state.json").write_text(json.dumps(state, indent=1))
        while self.outdated:
            _remove(self.outdated.pop())
        os.replace(partial, folder)
        for old in self._folders()[:-1]:
            _remove(old)

    def restore(self, model: keras.Model) -> None:
        """Load the newest state, if any, into a compiled model."""
        if folders := self._folders():
            model.optimizer.build(model.trainable_variables)
            model.load_weights(folders[-1] / "state.weights.h5")

    def _folders(self) -> list[Path]:
        return sorted(p for p in self.run.glob("epoch-[0-9]*") if not p.suffix and p not in self.outdated)

    def _state(self) -> dict[str, Any]:
        """The newest state.json; empty where there is none."""
        folders = self._folders()
        return json.loads((folders[-1] / "state.json").read_text()) if folders else {}


def _remove(folder: Path) -> None:
    """Remove a state, under another name first: a kill may leave half of it, from which no run could continue."""
    gone = folder.with_name("epoch-removed")
    shutil.rmtree(gone, ignore_errors=True)
    os.replace(folder, gone)
    shutil.rmtree(gone)


def _differences(before: dict, now: dict) -> list[str]:
    """What differs, as in `seed was 0, is 5`."""
    names = dict.fromkeys([*before, *now])
    return [f"{n} was {before.get(n)}, is {now.get(n)}" for n in names if before.get(n) != now.get(n)]
