"""Serve the stand-in Hub until interrupted, to try publishing without an account: `python -m tests.hub`."""

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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    with StandInHub(parser.parse_args().port) as hub, contextlib.suppress(KeyboardInterrupt):
        print(HINT.format(endpoint=hub.endpoint, token=hub.token, read_only=hub.read_only_token), flush=True)
        hub.closing.wait()


if __name__ == "__main__":
    main()
