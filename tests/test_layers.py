"""Imports point down only, each library is touched in one place, and only the entry speaks."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"pipeline": "avpipe", "codecs": "avpipe.codecs"}

VOCABULARY = {
    "errors",
    "media",
    "timeline",
    "montage",
    "jsonform",
    "recipe",
    "updates",
    "settings",
    "scene",
}
DECISIONS = {"sync", "fit", "speech", "plan", "intent", "edits", "pairing"}
LAYERS: tuple[set[str], ...] = (
    {"avpipe"},  # the package itself: its version
    {"errors", "media", "timeline", "montage", "jsonform"},
    {"recipe", "updates", "settings"},  # vocabulary that is made of vocabulary
    {"scene", "sqlite_file"},
    {*DECISIONS, "codecs", "journal", "projects"},
    {"listen", "files"},
    {"render", "cloud"},
    {"compress"},
    {"exports", "hybrid"},
    {"routes"},
    {"workflow", "diagnosis", "alignment"},
    {"workflow_timeline"},
    {"workflow_export"},
    {"plot", "conversation"},
    {"batch"},
    {"server"},
    {"benchmarks"},
    {"cli"},
    {"__main__"},
)
"""The units (modules and packages right under avpipe), from the bottom up."""
RANK = {unit: rank for rank, units in enumerate(LAYERS) for unit in units}

OWNERS = {
    "av": "codecs",
    "ffmpeg": "codecs",
    "imageio_ffmpeg": "codecs",
    "fontTools": "codecs",
    "PIL": "codecs",
    "subprocess": "codecs",
    "httpx": "cloud",
    "dask": "batch",
    "distributed": "batch",
    "fsspec": "batch",
    "matplotlib": "plot",
    "watchfiles": "batch",
    "click": "cli",
    "rich": "cli",
    "platformdirs": "cli",
    "starlette": "server",
    "uvicorn": "server",
    "prometheus_client": "server",
    "python_multipart": "server",
    "anyio": "server",
}
"""The one unit that may import each of these."""
IMPURE = {"os", "io", "random", "shutil", "socket", "sqlite3", "tempfile", "time"}
"""Modules of the standard library that decisions have no use for."""
STARTS_CHILDREN = {"system", "popen", "fork", "posix_spawn", "execv", "execvp", "spawnv"}
ENVIRONMENT = {"environ", "environb", "getenv", "putenv"}
WORKERS = {"avpipe.codecs.worker", "avpipe.batch.worker", "avpipe.server.worker"}
"""Processes of their own; what they write and how they end is their protocol."""


@dataclass(frozen=True)
class Imported:
    line: int
    module: str
    names: tuple[str, ...] = ()


def imports(tree: ast.AST) -> Iterator[Imported]:
    """Every import of a module, wherever it stands, `import_module("…")` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Imported(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield Imported(node.lineno, module, tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in ("import_module", "__import__"):
                first = node.args[0]
                if isinstance(first, ast.JoinedStr) and first.values:
                    first = first.values[0]
                text = first.value if isinstance(first, ast.Constant) else "."
                yield Imported(node.lineno, str(text).rstrip("."))


def units_of(imported: Imported) -> Iterator[str]:
    """The units of avpipe that an import takes from; none where it is of another package."""
    parts = imported.module.split(".")
    if parts[0] != "avpipe":
        return
    if len(parts) > 1:
        yield parts[1]
        return
    for name in imported.names or ("avpipe",):
        yield "avpipe" if name.startswith("__version") else name


def unit_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def violations(module: str, source: str) -> list[str]:
    """What a module does that its place in the layers forbids."""
    tree = ast.parse(source)
    unit = unit_of(module)
    if unit not in RANK:
        return [f"{module} has no layer; give {unit} one in {Path(__file__).name}"]
    found = [
        f"{module}:{imported.line} {why}"
        for imported in imports(tree)
        for why in _import_faults(unit, imported)
    ]
    return found + [f"{module}:{line} {why}" for line, why in _deeds(module, unit, tree)]


def _import_faults(unit: str, imported: Imported) -> Iterator[str]:
    top = imported.module.split(".")[0]
    if top == "":
        yield "imports relatively, or a module whose name is not known"
        return
    if top in FOLDERS and top != "codecs":
        yield f"imports {top}, which is a folder and not the package"
    if top == "benchmarks":
        yield "imports benchmarks, which is a folder and not the package"
    for target in units_of(imported):
        if target not in RANK:
            yield f"imports avpipe.{target}, which has no layer"
        elif target != unit and RANK[target] > RANK[unit]:
            yield f"imports upward: {unit} -> {target}"
        elif target != unit and RANK[target] == RANK[unit]:
            yield f"imports sideways: {unit} -> {target}"
    if OWNERS.get(top, unit) != unit:
        yield f"imports {top}, which belongs to {OWNERS[top]}"
    standard = top in sys.stdlib_module_names or top == "avpipe"
    if unit in VOCABULARY | {"avpipe"} and not standard:
        yield f"imports {top}: vocabulary has the standard library alone"
    if unit in DECISIONS and ((not standard and top != "numpy") or top in IMPURE):
        yield f"imports {top}: decisions are pure, with numpy at most"
    if top == "os" and unit != "cli" and ENVIRONMENT.intersection(imported.names):
        yield "reads the environment"


def _deeds(module: str, unit: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("print", "input", "exit", "quit") and unit != "cli":
                yield node.lineno, f"calls {node.func.id}()"
        elif isinstance(node, ast.Name) and node.id == "SystemExit" and unit != "cli":
            yield node.lineno, "ends the process"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield from _attribute_faults(module, unit, node, f"{node.value.id}.{node.attr}")


def _attribute_faults(
    module: str, unit: str, node: ast.Attribute, name: str
) -> Iterator[tuple[int, str]]:
    (owner, _, attribute) = name.partition(".")
    if name == "sys.exit" and unit != "cli" and module not in WORKERS:
        yield node.lineno, "ends the process"
    if name in ("sys.stdout", "sys.stderr") and unit != "cli" and module not in WORKERS:
        yield node.lineno, f"writes to {name}"
    if owner == "os" and attribute in ENVIRONMENT and unit != "cli":
        yield node.lineno, "reads the environment"
    if owner == "os" and attribute in STARTS_CHILDREN and unit != "codecs":
        yield node.lineno, f"starts a process with {name}"


def modules() -> dict[str, Path]:
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = path
    return found


MODULES = modules()


def test_walks_the_whole_program() -> None:
    assert {"avpipe", "avpipe.__main__", "avpipe.codecs.worker", "avpipe.cli"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_its_place(module: str) -> None:
    assert violations(module, MODULES[module].read_text(encoding="utf-8")) == []


PLANTED = [
    ("avpipe.plan.make", "from avpipe.render.local import render", "upward"),
    ("avpipe.plan.make", "def f():\n    import avpipe.workflow", "upward"),
    (
        "avpipe.media",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from avpipe.recipe import Recipe",
        "upward",
    ),
    ("avpipe.media", "from avpipe import updates", "upward"),
    ("avpipe.media", "from avpipe.errors import MediaError", "sideways"),
    ("avpipe.codecs.probe", "from avpipe.plan.values import Plan", "sideways"),
    ("avpipe.plan.make", "from avpipe import codecs", "sideways"),
    ("avpipe.workflow", "from avpipe.diagnosis import diagnose", "sideways"),
    ("avpipe.render.local", "from avpipe.cloud import client", "sideways"),
    ("avpipe.server", "import avpipe.cli.output", "upward"),
    ("avpipe.workflow", "from avpipe.benchmarks import sitting", "upward"),
    ("avpipe.workflow", "import importlib\nimportlib.import_module('avpipe.cli')", "upward"),
    ("avpipe.workflow", "import_module(f'avpipe.cli.{name}')", "upward"),
    ("avpipe.workflow", "import_module(name)", "not known"),
    ("avpipe.plan.make", "from .values import Plan", "relatively"),
    ("avpipe.plan.make", "from avpipe.helpers import x", "no layer"),
    ("avpipe.helpers", "", "no layer"),
    ("avpipe.render.local", "from pipeline.plan import make", "folder"),
    ("avpipe.render.local", "import av.container", "belongs to codecs"),
    ("avpipe.workflow", "def f():\n    from PIL import Image", "belongs to codecs"),
    ("avpipe.render.local", "import subprocess", "belongs to codecs"),
    ("avpipe.codecs.process", "import httpx", "belongs to cloud"),
    ("avpipe.workflow", "import dask.distributed", "belongs to batch"),
    ("avpipe.codecs.probe", "import click", "belongs to cli"),
    ("avpipe.media", "import numpy", "standard library alone"),
    ("avpipe", "import numpy", "standard library alone"),
    ("avpipe.plan.make", "import scipy", "pure"),
    ("avpipe.plan.make", "import os.path", "pure"),
    ("avpipe.codecs.probe", "print('x')", "print()"),
    ("avpipe.workflow", "import sys\nsys.exit(1)", "ends the process"),
    ("avpipe.workflow", "raise SystemExit(1)", "ends the process"),
    ("avpipe.render.local", "import sys\nsys.stdout.write('x')", "sys.stdout"),
    ("avpipe.settings", "import os\nx = os.environ", "environment"),
    ("avpipe.settings", "from os import environ", "environment"),
    ("avpipe.render.local", "import os\nos.system('ls')", "starts a process"),
]


@pytest.mark.parametrize(("module", "source", "word"), PLANTED)
def test_finds_a_planted_violation(module: str, source: str, word: str) -> None:
    found = violations(module, source)
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("avpipe.plan.make", "import numpy\nfrom avpipe.plan.values import Plan"),
        ("avpipe.plan.make", "from avpipe import jsonform\nfrom avpipe.recipe import Recipe"),
        ("avpipe.cli.probe", "from avpipe.codecs.isolate import probe_files\nprint('x')"),
        ("avpipe.diagnosis", "from avpipe import __version__\nimport os\nos.access('.', 4)"),
        ("avpipe.codecs.worker", "import sys\nsys.stdout.write('x')\nsys.exit(1)"),
        ("avpipe.codecs.probe", "import av\nimport codecs"),
    ],
)
def test_leaves_the_rest_alone(module: str, source: str) -> None:
    assert violations(module, source) == []
