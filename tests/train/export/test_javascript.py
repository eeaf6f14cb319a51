"""Templates as JavaScript: what is not known is refused; tests/browser compares the HTML that both make."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment

from catdog.pages.render import environment
from train.export.javascript import javascript
from train.export.static_page import FILLED


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
