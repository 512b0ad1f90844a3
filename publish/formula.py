"""The Homebrew formula of a release: `python -m publish.formula PYLOCK.toml SOURCES.tar.gz FORMULA.rb`.

`make release` calls it. Every package that is locked becomes a resource with its source's hash, so that
Homebrew builds what was tested.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_FORMULA = """\
class {name} < Formula
  include Language::Python::Virtualenv

  desc "{description}"
  homepage "https://pypi.org/project/{project}/"
  url "{url}"
  sha256 "{digest}"
  license "{licence}"

  depends_on "rust" => :build # orjson
  depends_on "libyaml"
  depends_on "python@3.13"

{resources}
  def install
    virtualenv_install_with_resources(link_manpages: true)
    generate_completions_from_executable(bin/"ccproxy", "completion")
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/ccproxy --version 2>&1")
    system bin/"claude-code-proxy", "demo", "--client", "builtin"
  end
end
"""
_RESOURCE = """\
  resource "{name}" do
    url "{url}"
    sha256 "{digest}"
  end
"""


def formula(project: dict[str, Any], version: str, digest: str, lock: dict[str, Any]) -> str:
    """The formula's text.

    `project` is the table of pyproject.toml, `digest` the SHA-256 of the source distribution of `version`,
    `lock` a pylock.toml (PEP 751). Raises `ValueError` for a package without a source distribution.
    """
    name = str(project["name"])
    source = f"{name.replace('-', '_')}-{version}.tar.gz"
    return _FORMULA.format(
        name="".join(word.capitalize() for word in name.split("-")),
        project=name,
        description=str(project["description"]).rstrip("."),
        url=f"https://files.pythonhosted.org/packages/source/{name[0]}/{name}/{source}",
        digest=digest,
        licence=project["license"],
        resources="\n".join(_resource(package) for package in lock["packages"] if _is_for_brew(package)),
    )


def _is_for_brew(package: dict[str, Any]) -> bool:
    """Whether it is installed on Linux and macOS, and is not the project itself."""
    return "directory" not in package and not re.search(r"==\s*'win32'", package.get("marker", ""))


def _resource(package: dict[str, Any]) -> str:
    source = package.get("sdist")
    if source is None:
        raise ValueError(f"{package['name']} has no source distribution")
    return _RESOURCE.format(name=package["name"], url=source["url"], digest=source["hashes"]["sha256"])


def main(lock: Path, source: Path, target: Path) -> None:
    """Write the formula of the source distribution `source` to `target`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = source.name.removesuffix(".tar.gz").rpartition("-")[2]
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))
    target.write_text(formula(project, version, digest, packages), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
