"""Packages from npm, installed once into the repository's cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from tests import paths

CACHE = Path(os.environ.get("E2E_CACHE") or paths.REPOSITORY / ".cache")
_LIMIT = 300  # seconds; the client is a download of 120 MB


def missing(what: str) -> NoReturn:
    """Say that the machine lacks `what`: a failure in CI, where nothing may be skipped, else a reason to skip."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def install(package: str, version: str) -> Path:
    """The folder that has `node_modules` with this package in it."""
    folder = CACHE / package.rpartition("/")[2] / version
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        missing(f"npm is not installed, and {package} comes from there")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and renamed: a broken-off download, or another run's, is never taken for a whole one.
    scratch = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=folder.parent))
    try:
        command = [npm, "install", "--prefix", str(scratch), "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            [*command, f"{package}@{version}"], capture_output=True, text=True, timeout=_LIMIT, check=False
        )
        if done.returncode != 0:
            missing(f"npm could not install {package}@{version}: {done.stderr.strip()[-500:]}")
        if not folder.is_dir():
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def claude_code(version: str) -> Path:
    """The real Claude Code: its native binary for this platform, which needs no Node."""
    modules = install("@anthropic-ai/claude-code", version) / "node_modules" / "@anthropic-ai"
    binary = next(modules.glob("claude-code-*-*/claude"), None)
    if binary is None:
        missing(f"Claude Code {version} has no native binary for this platform")
    return binary
