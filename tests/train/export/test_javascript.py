"""Templates as JavaScript: what is not known is refused; tests/browser compares the HTML that both make."""

import json
import random
import shutil
import subprocess

import pytest
from jinja2 import DictLoader, Environment

from catdog.pages.render import environment
from train.export.javascript import javascript
from train.export.static_page import FILLED, SOURCE


def test_every_template_of_the_page_is_known():
    module = javascript(environment(), FILLED)
    assert all(f'templates["{name}"]' in module for name in FILLED)


@pytest.mark.parametrize(
    "source",
    [
        "{{ a is none }}",
        "{{ 1 + a }}",
        "{% with a = 1 %}{% endwith %}",
        "{% for a in b if a %}{% endfor %}",
        "{% for a in b %}{% else %}none{% endfor %}",
        "{% for a in b recursive %}{% endfor %}",
        "{{ a(b=1) }}",
        "{{ a(*b) }}",
        "{{ a | upper }}",
        "{{ a | format(b=1) }}",
        "{% macro a(b=1) %}{% endmacro %}",
        "{{ 1 < a < 3 }}",
        "{{ a not in b }}",
        "{% from 'u' import a as b %}",
    ],
)
def test_what_javascript_lacks_is_refused(source):
    with pytest.raises(NotImplementedError, match="t, line 1"):
        javascript(Environment(loader=DictLoader({"t": source, "u": ""})), ["t"])


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_numbers_have_the_digits_that_python_gives_them():
    numbers = random.Random(0)
    ties = [odd / 2**power for power in range(1, 6) for odd in range(1, 200, 2)]
    values = [0.0, 7.995, 0.7995, 2.675, *ties, *(-tie for tie in ties), *(numbers.uniform(0, 99) for _ in range(500))]
    script = f"""
        import {{fixed}} from {json.dumps((SOURCE / "digits.js").as_uri())};
        console.log(JSON.stringify({values}.map((value) => [0, 1, 3, 4].map((digits) => fixed(value, digits)))));
    """
    run = subprocess.run(["node", "--input-type=module"], input=script, capture_output=True, text=True, check=True)
    for value, found in zip(values, json.loads(run.stdout), strict=True):
        assert found == [f"{value:.{digits}f}" for digits in (0, 1, 3, 4)], value
