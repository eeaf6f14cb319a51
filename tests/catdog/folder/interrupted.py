"""`python -m tests.catdog.folder.interrupted SIGNAL BATCH ARGUMENT...`: the command line, which signals itself.

When the last model is asked about that batch of photos, all processes of the run are listed on stdout,
and SIGKILL goes to the main one, or SIGINT to all, as from a terminal.
"""

import multiprocessing
import os
import signal
import sys

import catdog
import catdog.__main__


class Signalling:
    """An engine that passes everything on, until that batch."""

    def __init__(self, engine, name: str, batch: int):
        self.engine, self.name, self.left = engine, name, batch

    def __call__(self, batch):
        self.left -= 1
        if self.left == 0:
            print(*(process.pid for process in multiprocessing.active_children()), flush=True)
            if self.name == "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            os.killpg(0, signal.SIGINT)
        return self.engine(batch)


def main() -> None:
    def load(settings):
        comparator = catdog.load(settings)
        last = list(comparator.models.values())[-1]
        last.engine = Signalling(last.engine, sys.argv[1], int(sys.argv[2]))
        return comparator

    catdog.__main__.load = load
    sys.exit(catdog.__main__.main(sys.argv[3:]))


if __name__ == "__main__":
    main()
