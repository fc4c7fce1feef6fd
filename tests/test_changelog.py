"""The changelog is kept, and the version is told in one place."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import avpipe

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = {"Added", "Changed", "Fixed", "Removed"}


def test_top_section_is_unreleased_or_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    top = re.findall(r"^## (.+)$", text, re.MULTILINE)[0]
    assert re.fullmatch(rf"Unreleased|{re.escape(avpipe.__version__)} \(\d{{4}}-\d\d-\d\d\)", top)


def test_entries_stand_under_a_known_kind() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= SECTIONS


def test_version_agrees() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "avpipe.__version__"}
    assert importlib.metadata.version("avpipe") == avpipe.__version__
