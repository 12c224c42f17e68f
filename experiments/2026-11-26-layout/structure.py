"""Measure the structure of checkouts side by side: `python experiments/2026-11-26-layout/structure.py BEFORE AFTER`.

Imports are read from the source, those inside functions included. Only modules of `study` and `tasks` count.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(checkout: Path) -> dict[str, Path]:
    """Return dotted module name -> file."""
    files = [file for room in ("study", "tasks") for file in (checkout / room).rglob("*.py")]
    return {
        ".".join(file.relative_to(checkout).with_suffix("").parts).removesuffix(".__init__"): file for file in files
    }


def imports(name: str, file: Path, known: set[str]) -> set[str]:
    """Return the modules of the project that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & known) - {name}


def longest_chain(graph: dict[str, set[str]]) -> int:
    """Return the number of files on the longest path of imports."""
    lengths: dict[str, int] = {}

    def length(name: str, path: tuple[str, ...]) -> int:
        if name not in lengths:
            following = [length(other, (*path, name)) for other in graph[name] if other not in path]
            lengths[name] = 1 + max(following, default=0)
        return lengths[name]

    return max(length(name, ()) for name in graph)


def functions(files: list[Path]) -> Iterator[Function]:
    """Yield every function and method."""
    for file in files:
        yield from (node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, Function))


def is_typed(function: Function) -> bool:
    """Return whether all arguments, `self` aside, and the result are annotated."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return function.returns is not None and all(a.annotation or a.arg in {"self", "cls"} for a in arguments)


def table(checkout: Path) -> dict[str, str]:
    """Return every measure of a checkout."""
    found = modules(checkout)
    graph = {name: imports(name, file, set(found)) for name, file in found.items()}
    importers = {name: [other for other in graph if name in graph[other]] for name in graph}
    study = [name for name in found if name.startswith("study.")]
    code = [name for name, file in found.items() if file.name != "__init__.py"]
    lengths = sorted((len(file.read_text("utf-8").splitlines()), name) for name, file in found.items())
    every = list(functions(list(found.values())))
    size = sorted((f.end_lineno or f.lineno) - f.lineno + 1 for f in every)
    public = [f for f in every if not f.name.startswith("_")]
    most = sorted(((len(importers[name]), name) for name in code), reverse=True)[:5]
    packages = sum(1 for file in found.values() if file.name == "__init__.py" and "study" in file.parts) - 1
    return {
        "modules in study/": str(len([n for n in study if found[n].name != "__init__.py"])),
        "of them directly in study/": str(
            len([n for n in study if n.count(".") == 1 and found[n].name != "__init__.py"])
        ),
        "packages in study/": str(packages),
        "files with one importer": str(len([name for name in code if len(importers[name]) == 1])),
        "longest import chain, files": str(longest_chain(graph)),
        "most imported": ", ".join(f"{name} {count}" for count, name in most),
        "largest file, lines": f"{lengths[-1][0]} ({lengths[-1][1]})",
        "function length, median / p90": f"{statistics.median(size):g} / {size[int(len(size) * 0.9)]}",
        "functions fully annotated": f"{sum(map(is_typed, every)) / len(every):.1%}",
        "public functions with a docstring": f"{sum(bool(ast.get_docstring(f)) for f in public) / len(public):.1%}",
    }


if __name__ == "__main__":
    columns = [table(Path(argument).resolve()) for argument in sys.argv[1:]]
    print("| | before | after |\n| :-- | :-- | :-- |")
    for key in columns[0]:
        print(f"| {key} | {' | '.join(column[key] for column in columns)} |")
