"""What readers see before they install: the README, its picture, the pages of the site."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from claude_code_proxy.cli.ccproxy.arguments import COMMANDS
from claude_code_proxy.config.cc_proxy_json.providers_file import choose, load_providers
from claude_code_proxy.config.cc_proxy_json.session_plan import plan_session
from claude_code_proxy.core.providers import PRESETS
from publish import site
from publish.screen_svg import Frame, Style, render
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

README = (paths.REPOSITORY / "README.md").read_text(encoding="utf-8")
PICTURE = (paths.REPOSITORY / "docs" / "session.svg").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
TEXTS = [
    path
    for pattern in ("*.md", "docs/*.md", "examples/**/*.md", ".github/**/*.yml", "deploy/*")
    for path in sorted(paths.REPOSITORY.glob(pattern))
    if path.is_file()
]


def test_a_session_starts_with_the_providers_file_of_the_readme(tmp_path: Path) -> None:
    (text,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "cc-proxy.json"
    path.write_text(text, encoding="utf-8")
    providers = load_providers(path)
    chosen = choose(providers, None, path)
    assert chosen.name == "deepseek"
    used = {one.provider.name for one in plan_session(chosen, providers, path).models}
    assert used == {one.name for one in providers}, "each provider is used by the session"


def test_the_readme_is_short_and_knows_its_commands() -> None:
    assert len(README.splitlines()) < 150
    named = set(re.findall(r"^    ccproxy ([a-z]+)", README, re.MULTILINE))
    assert {"init", "doctor"} <= named <= set(COMMANDS)
    table = README.partition("## Providers")[2].partition("\n## ")[0]
    names = {name for row in table.splitlines() for name in re.findall(r"`([a-z]+)`", row)} - {"NAME"}
    assert {"deepseek", "openrouter", "ollama"} <= names <= set(PRESETS)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_nobody_is_told_to_install_a_strangers_program(path: Path) -> None:
    """`claude-code-proxy` on PyPI is another project."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(pipx? install|uvx|tool install|tool run) +['\"]?claude-code-proxy\b", text)


def test_the_pages_of_the_site_and_their_links(tmp_path: Path) -> None:
    site.collect(tmp_path)
    pages = {path.name for path in tmp_path.glob("*.md")}
    config = tomllib.loads((paths.REPOSITORY / "publish/zensical.toml").read_text(encoding="utf-8"))
    named = re.findall(r"'([a-z-]+\.md)'", str(config["project"]["nav"]))
    assert sorted(named) == sorted(pages), "a page is not in the navigation, or in it twice"
    for page in tmp_path.glob("*.md"):
        for _, target, _ in site.links(page.read_text(encoding="utf-8")):
            assert re.match(r"[a-z]+:", target) or (tmp_path / target).is_file(), f"{page.name}: {target}"
    assert (tmp_path / "files/deploy/nginx.conf").is_file()
    assert "](security.md)" in (tmp_path / "deployment.md").read_text(encoding="utf-8")


def test_a_link_that_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n```\n[code](no.md)\n```\n[b](b.md)\n")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "PAGES", {})
    with pytest.raises(site.BrokenLinkError, match=r"docs/a\.md: b\.md is not there"):
        site.collect(tmp_path / "pages")


def test_the_picture() -> None:
    assert len(PICTURE.encode()) < 150_000
    assert "/tmp/" not in PICTURE
    root = ElementTree.fromstring(PICTURE)
    shown = "".join(root.itertext())
    assert "prefers-reduced-motion" in shown
    for text in ("ccproxy init", "deepseek-v4-pro (deepseek)", "Two files"):
        assert text in shown, text
    (strip,) = (part for part in root.iter(f"{SVG}g") if part.get("id") == "strip")
    drawn = {part.get("id") for part in root.iter(f"{SVG}g")}
    assert {use.get("href", "#")[1:] for use in strip} <= drawn


def test_frames_are_drawn_once_and_told_apart() -> None:
    plain, strong = Style(), Style(ink="green", paper="0a0b0c", bold=True)
    rows = tuple((character, plain) for character in "a<b ")
    marked = tuple((character, strong) for character in "ok  ")
    frames = [Frame(0.0, (rows, rows)), Frame(1.0, (rows, marked))]
    text = render(frames, columns=4, title="T & T", rest=1.0)
    root = ElementTree.fromstring(text)
    assert [part.text for part in root.iter(f"{SVG}text")] == ["a<b", "ok"]
    assert len(list(root.iter(f"{SVG}use"))) == 4
    assert '<rect x="0" width="32" height="18" fill="#0a0b0c"/>' in text
    assert 'fill="#3fb950" font-weight="bold"' in text
    assert "50.00%{transform:translateY(-36px)}" in text
    assert 'transform="translate(0,-36)"' in text
