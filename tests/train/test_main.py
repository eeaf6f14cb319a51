"""Wrong usage of several commands of train."""

import pytest

from train.__main__ import main


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("export --revision v1", "--repo"),
        ("static --revision v1", "--repo"),
        ("publish --space user/app --static page --revision v1", "--repo"),
        ("export --repo user/models --weights mine", "--weights"),
        ("static --repo user/models --weights mine", "--weights"),
    ],
)
def test_options_that_would_do_nothing_are_refused(hub, capsys, command, option):
    assert main(command.split()) == 2
    assert option in capsys.readouterr().err and hub.requests == []
