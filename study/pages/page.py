"""The report as one self-contained HTML file, and as Markdown with the same tables.

All text is escaped. A content security policy also forbids the network and every script but the page's own, so that a
script in a data set's text would not run even if it were not escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from study.analysis.formats import metric_name
from study.analysis.study import read_study
from study.analysis.tables import escape_markdown, markdown_list, paragraphs
from study.pages.benchmark_content import MOST_TRIALS, BenchmarkContent
from study.pages.content import Content, read_content
from study.pages.glossary import GLOSSARY, glossary_markdown, terms_in
from study.results import files, layout

REPORT = "report"
VEGA_LITE = "6.4"
"""The version that Altair 6 writes."""
_DRAW = """
window.drawChart = (element, spec) => vegaEmbed(element, spec, {
  mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: { theme: "custom" },
});
"""
"""`ast`: Vega interprets expressions, because the content security policy forbids compiling them."""


def write_report(folder: str) -> tuple[str, str]:
    """Write a study's report into its folder as HTML and as Markdown; return both paths.

    Raises:
        StudyError: there is no study, or its record cannot be read.
        StudyError: no trial of it was measured.
    """
    study = read_study(folder)
    layout.check_writable(study.folder)
    content = read_content(study)
    paths = files.join(study.folder, f"{REPORT}.html"), files.join(study.folder, f"{REPORT}.md")
    for path, text in zip(paths, (html(content), markdown(content)), strict=True):
        files.write_text(path, text)
    return paths


def html(content: Content) -> str:
    """Return the page."""
    scripts = (_library(), beside("tables.js"), beside("trials.js"), beside("report.js"))
    values = {"metric_name": metric_name, "most_trials": MOST_TRIALS, "glossary": GLOSSARY, "terms_in": terms_in}
    return render("report.html", scripts, c=content, **values)


def render(template: str, scripts: Sequence[str] = (), **values: Any) -> str:
    """Return a page from a template; all text is escaped, and only these scripts run."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("study.pages"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False, "separators": (",", ":")}
    assert all("</script" not in script.lower() for script in scripts), "it would end the script element"
    return environment.get_template(template).render(
        hashes=Markup(" ".join(map(_hash, scripts))),  # noqa: S704 - base64
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours
        css=Markup(beside("report.css")),  # noqa: S704 - ours
        **values,
    )


def beside(name: str) -> str:
    """Return the content of a file in the templates' folder."""
    return resources.files("study.pages").joinpath("templates", name).read_text(encoding="utf-8")


def markdown(content: Content) -> str:
    """Return the report's tables and sentences as Markdown."""
    facts = ", ".join(f"{name} {value}" for name, value in content.facts.items())
    parts = [f"# {escape_markdown(content.name)}", markdown_list(content.headline), escape_markdown(facts)]
    for benchmark in content.benchmarks:
        parts += _benchmark(benchmark)
    parts += ["## Configuration and origins", "What all trials share:", _code(content.shared)]
    parts += [content.settings.markdown(), "The search space:", _code(content.search_space)]
    parts += [table.markdown() for table in content.origins]
    return paragraphs([*parts, "## Glossary", glossary_markdown()])


def _code(text: str) -> str:
    """Return text as an indented code block, which no text can close."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _benchmark(content: BenchmarkContent) -> list[str]:
    facts = ", ".join(f"{name} {value}" for name, value in content.facts.items())
    parts = [f"## {escape_markdown(content.name)}", escape_markdown(facts)]
    parts += [markdown_list([verdict.text for verdict in content.verdicts])]
    if content.unseen:
        parts += [f"Languages in no training corpus (†): {', '.join(content.unseen)}."]
    tables = [content.leaderboard, *content.differences, *content.by_language, *content.language_bias]
    tables += [content.heat] if content.heat else []
    tables += [*content.published, *content.published_languages]
    return [*parts, *(table.markdown() for table in tables if table.rows)]


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and the code that draws with them as one script, from the installed package."""
    bundle: str = vl_convert.javascript_bundle(_DRAW, vl_version=VEGA_LITE)
    return bundle


def _hash(text: str) -> str:
    """Return the source expression of a script for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
