"""What the pages have in common: their template's environment, the style, the film strips."""

import jinja2


def page_template(package: str) -> jinja2.Template:
    """The template page.html of a package; it may include what `l2l.report` has."""
    loaders = [jinja2.PackageLoader(each, ".") for each in (package, "l2l.report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, trim_blocks=True
    )
    return environment.get_template("page.html")
