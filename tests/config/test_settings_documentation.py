"""docs/configuration.md says what the code does: its tables are rendered from the code and compared.

`python -m tests.config.test_settings_documentation` writes them anew.
"""

from __future__ import annotations

import ast
import inspect
from typing import Any

import pytest

from claude_code_proxy.cli.ccproxy.arguments import HELP
from claude_code_proxy.config.cc_proxy_json import providers_file
from claude_code_proxy.config.models_yaml import entry
from claude_code_proxy.config.models_yaml.example import EXAMPLE
from claude_code_proxy.config.settings import SETTINGS, ServerSettings
from claude_code_proxy.config.value_kinds import describe
from claude_code_proxy.core.providers import profile
from tests import paths

PATH = paths.REPOSITORY / "docs" / "configuration.md"
DOCUMENT = PATH.read_text(encoding="utf-8")


def settings_table() -> str:
    rows = ["| flag | variable | default | meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = ServerSettings.default(setting.name)
        variables = f"`{setting.env}`" + (f", `{setting.older_env}`" if setting.older_env else "")
        shown = "-" if default is None else f"`{default}`"
        if setting.name == "models":
            shown = "`~/.config/claude-code-proxy/models.yaml`"
        rows.append(f"| `{setting.flag} {setting.metavar}` | {variables} | {shown} | {setting.help} |")
    return "\n".join(rows)


def profile_table(name: str, kinds: dict[str, Any]) -> str:
    """The fields of a dataclass of core.profile with their defaults and docstrings."""
    tree = ast.parse(inspect.getsource(profile))
    (cls,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    defaults = getattr(profile, name)()
    for field, text in zip(cls.body, cls.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and field.target.id in kinds
        ):
            assert isinstance(text, ast.Expr)
            assert isinstance(text.value, ast.Constant)
            key = field.target.id
            meaning = " ".join(str(text.value.value).split()).replace("|", "\\|")
            kind = "a size" if key in ("max_output", "context_window") else describe(kinds[key])
            rows.append(f"| `{key}` | {kind} | {default(getattr(defaults, key))} | {meaning} |")
    return "\n".join(rows)


def default(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(str(item) for item in value)}]`"
    return f"`{value}`" if isinstance(value, str | int | float) else "`{}`"


BLOCKS = {
    "settings": settings_table(),
    "profile keys": profile_table("Profile", entry.PROFILE_KEYS),
    "passthrough keys": profile_table("NativeProfile", entry.NATIVE_KEYS),
    "ccproxy --help": f"```text\n{HELP}```",
    "example": f"```yaml\n{EXAMPLE}```",
}


def marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"


@pytest.mark.parametrize("name", BLOCKS)
def test_rendered_blocks(name: str) -> None:
    start, end = marks(name)
    assert DOCUMENT.count(start) == DOCUMENT.count(end) == 1
    assert DOCUMENT.partition(start)[2].partition(end)[0] == BLOCKS[name]


@pytest.mark.parametrize("key", [*entry.OTHER_KEYS, *entry.SYNONYMS])
def test_entry_keys(key: str) -> None:
    assert f"| `{key}` |" in DOCUMENT


@pytest.mark.parametrize("key", [*providers_file.REQUIRED_KEYS, *providers_file.OPTIONAL_KEYS])
def test_provider_keys(key: str) -> None:
    assert f"`{key}`" in DOCUMENT


def rewrite() -> None:
    text = DOCUMENT
    for name, block in BLOCKS.items():
        start, end = marks(name)
        head, _, rest = text.partition(start)
        text = head + start + block + end + rest.partition(end)[2]
    PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    rewrite()
