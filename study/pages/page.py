"""The report as one HTML file that needs nothing else, and as Markdown with the same tables.

The page forbids itself the network, and every script but its own, by a content security policy: what a data set's
text may hold is escaped, and would not run if it were not.
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

from study.analysis.leaderboard import metric_name
from study.analysis.tables import escape_markdown, paragraphs
from study.pages.benchmark_content import MOST_TRIALS, BenchmarkContent
from study.pages.content import Content

VEGA_LITE = "6.4"
"""As Altair 6 writes it."""
_DRAW = """
window.drawChart = (element, spec) => vegaEmbed(element, spec, {
  mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: { theme: "custom" },
});
"""
"""`ast`: expressions are interpreted, because the content security policy forbids to compile them."""


def html(content: Content) -> str:
    """Return the page."""
    scripts = (_library(), beside("tables.js"), beside("report.js"))
    return render("report.html", scripts, c=content, metric_name=metric_name, most_trials=MOST_TRIALS)


def render(template: str, scripts: Sequence[str] = (), **values: Any) -> str:
    """Return a page of ours, in which all text is escaped and no scripts run but these."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("study.pages"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False, "separators": (",", ":")}
    assert all("</script" not in one.lower() for one in scripts), "would end the script before its end"
    return environment.get_template(template).render(
        hashes=Markup(" ".join(map(_hash, scripts))),  # noqa: S704 - base64
        scripts=[Markup(one) for one in scripts],  # noqa: S704 - ours
        css=Markup(beside("report.css")),  # noqa: S704 - ours
        **values,
    )


def beside(name: str) -> str:
    """Return a file that stands beside the templates."""
    return resources.files("study.pages").joinpath("templates", name).read_text(encoding="utf-8")


def markdown(content: Content) -> str:
    """Return the report's tables and sentences as Markdown."""
    facts = ", ".join(f"{name} {value}" for name, value in content.facts.items())
    parts = [f"# {escape_markdown(content.name)}", escape_markdown(facts)]
    for benchmark in content.benchmarks:
        parts += _benchmark(benchmark)
    parts += ["## Configuration and origins", "What all trials share:", _code(content.shared)]
    parts += [content.settings.markdown(), "The search space:", _code(content.search_space)]
    return paragraphs([*parts, *(table.markdown() for table in content.origins)])


def _code(text: str) -> str:
    """Return text as indented code, which nothing in it can end."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _benchmark(content: BenchmarkContent) -> list[str]:
    facts = ", ".join(f"{name} {value}" for name, value in content.facts.items())
    parts = [f"## {escape_markdown(content.name)}", escape_markdown(facts)]
    parts += ["\n".join(f"- {escape_markdown(verdict.text)}" for verdict in content.verdicts)]
    if content.unseen:
        parts += [f"Languages in no training corpus (†): {', '.join(content.unseen)}."]
    tables = [content.leaderboard, *content.differences, *content.by_language, *content.language_bias]
    tables += [content.heat] if content.heat else []
    tables += [*content.published, *content.published_languages]
    return [*parts, *(table.markdown() for table in tables if table.rows)]


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and what draws with them as one script; the package brings it, not the network."""
    bundle: str = vl_convert.javascript_bundle(_DRAW, vl_version=VEGA_LITE)
    return bundle


def _hash(text: str) -> str:
    """Return a script's name in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
