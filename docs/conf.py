"""Sphinx configuration; `make docs` builds with warnings as errors and without network."""

import json
import re
from importlib.metadata import version as version_of
from pathlib import Path

from delocal.physics.model import Model
from delocal.physics.models import load_models

project = "delocal"
author = "the delocal developers"
copyright = "the delocal developers"
version = release = version_of("delocal")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build", "images/make.py"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "NDArray": "NDArray"}
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "delocal"
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}


def setup(app):
    app.connect("source-read", insert_models)
    app.connect("source-read", insert_benchmarks)
    app.connect("env-get-outdated", lambda *_: ["reference/models", "reference/benchmarks"])
    app.connect("autodoc-process-signature", name_aliases)


def name_aliases(app, what, name, thing, options, signature, returns):
    """Write an alias inside a union by its name, as it is written elsewhere."""
    return re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", signature or "") or None, returns


def insert_models(app, page, source):
    """Fill the page of models from the registry, so that a new model documents itself."""
    if page == "reference/models":
        tables = "\n\n".join(describe(model) for model in load_models().values())
        source[0] = source[0].replace("<!-- models -->", tables)


def insert_benchmarks(app, page, source):
    """Fill the page of benchmarks from the results of the last `make bench`."""
    if page == "reference/benchmarks":
        path = Path(__file__).parents[1] / "benchmarks" / "results.json"
        content = json.loads(path.read_text())
        versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
        rows = [measured(row) for row in content["rows"]]
        head = ("what", "measured", "bar", "holds")
        source[0] = source[0].replace("<!-- benchmarks -->", f"{versions}.\n\n{table(head, rows)}")


def measured(row) -> tuple[str, ...]:
    """Return one claim and its figure."""
    sign = "≥" if row["better"] == "higher" else "≤"
    bar = "" if row["bar"] is None else f"{sign} {row['bar']:g}"
    holds = "" if row["bar"] is None else "yes" if row["holds"] else "**no**"
    return text(row["name"]), f"{row['value']:.3g}", bar, holds


def describe(model: Model) -> str:
    """Return the section of one model."""
    parameters = [
        (code(p.name), p.long_name, code(p.units), text(p.allowed), default(p))
        for p in model.parameters
    ]
    variables = [
        (code(v.name), text(v.long_name), code(v.units), text(v.equation), dims(v), text(v.comment))
        for v in model.variables
    ]
    options = [
        (
            code(o.name),
            ", ".join([*(code(choice) for choice in o.choices), *filter(None, [text(o.form)])]),
            text(o.description),
        )
        for o in model.options
    ]
    parts = [
        f"## {model.name}",
        f"{text(model.title)}. {text(model.reference)}.",
        f"A {model.kind} model, version {model.version}.",
        "### Parameters of " + code(model.name),
        table(("name", "meaning", "unit", "allowed", "default"), parameters),
        "### Variables of " + code(model.name),
        table(("name", "meaning", "unit", "equation", "depends on", "note"), variables),
    ]
    if options:
        parts += ["### Options of " + code(model.name), table(("name", "choices", ""), options)]
    return "\n\n".join(parts)


def dims(variable) -> str:
    depends = ", ".join(variable.depends) if variable.depends is not None else "all"
    extra = f"; along {', '.join(variable.dims)}" if variable.dims else ""
    needs = f"; needs {variable.needs}" if variable.needs else ""
    return text(depends + extra + needs)


def default(parameter) -> str:
    if parameter.optional:
        return "may be absent"
    return "required" if parameter.default is None else f"{parameter.default:g}"


def table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(value) -> str:
    return f"`{value}`"


def text(value: str) -> str:
    """Return `value` with what Markdown would read as markup escaped."""
    for mark in "\\*_|<>":
        value = value.replace(mark, f"\\{mark}")
    return value
