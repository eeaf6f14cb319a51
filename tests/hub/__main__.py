"""Serve the stand-in Hub until interrupted, to try publishing without an account: `python -m tests.hub`.

Faults can be tried as well: `--fault 429 2 'POST .*/commit/'` throttles the first two commits,
`--fault cut 1 'PUT /lfs/'` cuts the first upload of a large file off; tests/hub/server.py lists the kinds.
"""

from __future__ import annotations

import argparse
import contextlib

from .server import StandInHub

HINT = """A stand-in for the Hugging Face Hub, in memory, on {endpoint}

In another terminal:

  export HF_ENDPOINT={endpoint} HF_TOKEN={token} HF_HUB_DISABLE_XET=1 HF_HOME=$(mktemp -d)
  python -m train publish --repo user/cats-and-dogs
  python -m train publish --space user/cat-or-dog --repo user/cats-and-dogs
  CATDOG_HUB_REPO=user/cats-and-dogs python -m catdog models

HF_TOKEN={read_only} is a token that may not write. Ctrl-C ends it all."""
RETRY_AFTER = 2  # seconds that a throttled client is told to wait


def main() -> None:
    about, faults = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=about, epilog=faults)
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument(
        "--fault", nargs=3, action="append", default=[], metavar=("KIND", "TIMES", "PATTERN"),
        help="hang, cut, lost or an HTTP status, for the first TIMES requests whose 'METHOD path' matches PATTERN",
    )  # fmt: skip
    arguments = parser.parse_args()
    for kind, times, _ in arguments.fault:
        if not (kind.isdigit() or kind in ("hang", "cut", "lost")) or not times.isdigit():
            parser.error(f"a fault is hang, cut, lost or an HTTP status, and a number of times; not {kind} {times}")
    with StandInHub(arguments.port) as hub, contextlib.suppress(KeyboardInterrupt):
        for kind, times, pattern in arguments.fault:
            hub.inject(int(kind) if kind.isdigit() else kind, pattern, times=int(times), retry_after=RETRY_AFTER)
        print(HINT.format(endpoint=hub.endpoint, token=hub.token, read_only=hub.read_only_token), flush=True)
        hub.closing.wait()


if __name__ == "__main__":
    main()
