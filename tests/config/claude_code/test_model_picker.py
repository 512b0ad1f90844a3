"""What `/model` shows of a session."""

from __future__ import annotations

import pytest

from claude_code_proxy.config.claude_code.model_picker import PickerRow, picker_settings, size


def test_each_model_with_whose_it_is_and_how_large() -> None:
    rows = [
        PickerRow("kimi-k3", "kimi-k3", "moonshot", 256_000, 32_768),
        PickerRow("groq/gpt", "gpt", "groq", 131_072),
        PickerRow("local", "local", "ollama"),
    ]
    assert picker_settings(rows) == {
        "modelPicker": {
            "options": [
                {
                    "model": "kimi-k3",
                    "label": "kimi-k3 (moonshot)",
                    "description": "256k context, 32k output",
                },
                {"model": "groq/gpt", "label": "gpt (groq)", "description": "128k context"},
                {"model": "local", "label": "local (ollama)", "description": "context not known"},
            ],
            "replaceBuiltInOptions": True,
        }
    }
    assert picker_settings([]) == {}


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        (200_000, "200k"),
        (1_000_000, "1m"),
        (1 << 20, "1m"),
        (131_072, "128k"),
        (204_800, "200k"),
        (99_999, "100k"),
        (512, "512"),
    ],
)
def test_sizes(tokens: int, shown: str) -> None:
    assert size(tokens) == shown
