"""What the pages have in common: their template's environment, the style, the film strips."""

from typing import Any

import jinja2
from markupsafe import Markup

from l2l.terminal import escape_lines


def page_template(package: str, name: str = "page.html") -> jinja2.Template:
    """A template of a package; it may include what `l2l.report` has.

    What it shows is escaped: markup, and characters that turn text round or that a terminal obeys.
    """
    loaders = [jinja2.PackageLoader(each, ".") for each in (package, "l2l.report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        trim_blocks=True,
        finalize=_without_controls,
    )
    return environment.get_template(name)


def _without_controls(value: Any) -> Any:
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return escape_lines(value) if plain else value
