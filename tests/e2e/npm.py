"""Packages from npm, installed once into the repository's cache folder.

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
from typing import NoReturn

import pytest

from tests import paths
from tests.e2e import versions

CACHE = Path(os.environ.get("E2E_CACHE") or paths.REPOSITORY / ".cache")
_REMEMBERED = 3600  # seconds for which a failure counts: longer than a run
_LIMIT = 300  # seconds; the client is a download of 120 MB


def missing(what: str) -> NoReturn:
    """Say that the machine lacks `what`: a failure in CI, where nothing may be skipped, else a reason to skip."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def install(package: str, version: str) -> Path:
    """The folder that has `node_modules` with this package in it.

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
            return _install(package, version, folder)
        except MissingError as error:
            failure.write_text(str(error))
            missing(str(error))


class MissingError(Exception):
    """The package cannot be had; the text says why."""


def _install(package: str, version: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError(f"npm is not installed, and {package} comes from there")
    # Made beside its place and renamed: a broken-off download, or another run's, is never taken for a whole one.
    scratch = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=folder.parent))
    try:
        command = [npm, "install", "--prefix", str(scratch), "--ignore-scripts", "--no-audit", "--no-fund"]
        command += [
            "--fetch-retries",
            "1",
            "--fetch-retry-mintimeout",
            "1000",
            "--fetch-retry-maxtimeout",
            "5000",
        ]
        done = subprocess.run(
            [*command, f"{package}@{version}"], capture_output=True, text=True, timeout=_LIMIT, check=False
        )
        if done.returncode != 0:
            raise MissingError(f"npm could not install {package}@{version}: {done.stderr.strip()[-500:]}")
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


def main() -> int:
    """Install everything before the first test asks for it; say what cannot be had, and so will not run."""
    for failure in CACHE.glob("*/*.failed"):  # of an earlier run
        failure.unlink()
    wanted = [("@anthropic-ai/claude-code", version) for version in versions.ALL]
    failed = 0
    for package, version in [*wanted, ("@anthropic-ai/sdk", versions.TYPESCRIPT_SDK)]:
        try:
            install(package, version)
        except (pytest.skip.Exception, pytest.fail.Exception) as error:
            failed = int(bool(os.environ.get("CI")))
            print(
                f"{'FAILED' if failed else 'skipping'} the tests with {package}@{version}: {error}",
                flush=True,
            )
    return failed


if __name__ == "__main__":
    sys.exit(main())
