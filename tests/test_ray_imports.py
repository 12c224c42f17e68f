"""Where Ray is imported; names that it does not document are used in one file, tested with one version of Ray."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from study.runtime.ray_internals import TESTED_RAY

ROOT = Path(__file__).resolve().parents[1]
INTERNALS = Path("study/runtime/ray_internals.py")
UNDOCUMENTED = ("ray.train.torch.config", "ray.train.v2", "ray.tune.execution", "ray.tune.result")
"""Modules without an underscore in their names that are no part of Ray's API reference."""


def private_names(source: str) -> Iterator[str]:
    """Yield Ray's private names that Python code imports or reaches through an attribute."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        for name in names:
            is_rays = name.split(".")[0] == "ray"
            if is_rays and (any(part.startswith("_") for part in name.split(".")) or name.startswith(UNDOCUMENTED)):
                yield name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from ray._raylet import PlacementGroupID", "ray._raylet.PlacementGroupID"),
        ("import ray\nray._private.worker.x = 1", "ray._private"),
        ("from ray.train.torch.config import _TorchBackend", "ray.train.torch.config._TorchBackend"),
        ("def f():\n    from ray.tune.result import DONE", "ray.tune.result.DONE"),
        ("import ray.train.v2.api", "ray.train.v2.api"),
    ],
)
def test_the_scan_sees_imports_and_attributes_at_any_depth(source: str, name: str) -> None:
    assert name in private_names(source)
    assert list(private_names("from ray.tune import Tuner, ResultGrid\nimport ray.train.torch\nray.init()")) == []


def test_only_ray_internals_uses_private_names_of_ray() -> None:
    sources = [path for folder in ("study", "tasks", "bench", "examples") for path in (ROOT / folder).rglob("*.py")]
    users = {path.relative_to(ROOT) for path in sources if list(private_names(path.read_text("utf-8")))}
    assert users == {INTERNALS}


def at_module_level(source: str) -> Iterator[str]:
    """Yield the modules that are imported when the code is, outside of functions."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def test_only_runtime_and_health_import_ray_outside_of_functions() -> None:
    sources = {path.relative_to(ROOT): path.read_text("utf-8") for path in (ROOT / "study").rglob("*.py")}
    users = {path for path, text in sources.items() if any(m.split(".")[0] == "ray" for m in at_module_level(text))}
    assert {path.parent for path in users} == {Path("study/runtime"), Path("study/health")}
    assert list(at_module_level("class A:\n    import ray\n    def f(): import ray.tune")) == ["ray"]


def test_the_installed_ray_is_the_one_whose_internals_are_tested() -> None:
    installed = metadata.version("ray")
    assert installed.rsplit(".", 1)[0] == TESTED_RAY, (
        f"Ray {installed} is installed, but {INTERNALS} was tested with {TESTED_RAY}: compare each private name in it "
        "with the new version, run tests/study/runtime and `make test-faults`, then raise TESTED_RAY"
    )
