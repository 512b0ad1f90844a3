"""Context windows and output limits of well-known models, in tokens; only where there is evidence.

None means that nobody we trust says so. The first glob that fits the lower-case id counts, so the narrower
one comes first.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple


class Limit(NamedTuple):
    """`context` is prompt plus output, `output` the most tokens of one answer."""

    rows: tuple[str, ...]
    pattern: str
    context: int | None
    output: int | None
    evidence: str


_OPENAI = ("openai", "azure")  # the same models; Copilot has limits of its own

LIMITS: tuple[Limit, ...] = (
    Limit(("deepseek",), "deepseek-*", 1_048_576, 393_216, "docs: pricing page"),
    Limit(("kimi",), "kimi-k3*", 1_048_576, None, "restated; outputs differ between catalogues"),
    Limit(("kimi",), "kimi-k2*", 262_144, None, "restated; the overflow text names the window"),
    Limit(("kimi",), "k3-256k*", 262_144, None, "its name"),
    Limit(("kimi",), "k3*", 1_048_576, None, "restated"),
    Limit(("glm",), "glm-4.5*", None, 96_000, "restated: 96K"),
    Limit(("glm",), "glm-4.7*", 202_752, 128_000, "reports: overflow text; restated: 128K"),
    Limit(("glm",), "glm-5.[23]*", 1_000_000, 128_000, "restated: 1M and 128K, exact figures unknown"),
    Limit(("glm",), "glm-5*", 202_752, 128_000, "reports: overflow text; restated: 128K"),
    Limit(("qwen",), "qwen3.6-plus*", None, 65_536, "reports"),
    Limit(("qwen",), "qwen3-coder-plus*", 1_000_000, None, "reports: 997,952 tokens of input"),
    Limit(("minimax",), "minimax-m3*", 1_000_000, None, "docs: 1M"),
    Limit(("doubao",), "*seed*code*", 256_000, None, "docs: 256K"),
    Limit(_OPENAI, "gpt-[6-9]*", 1_050_000, 128_000, "docs: model pages; 922,000 of input"),
    Limit(_OPENAI, "gpt-5.4-mini*", 400_000, 128_000, "docs: model page"),
    Limit(_OPENAI, "gpt-5.[4-9]*", 1_050_000, 128_000, "docs: model pages; 922,000 of input"),
    Limit(_OPENAI, "gpt-5*", 400_000, 128_000, "registry; 272,000 of input"),
    Limit(_OPENAI, "o3*", 200_000, 100_000, "registry"),
    Limit(_OPENAI, "o4-mini*", 200_000, 100_000, "registry"),
    Limit(_OPENAI, "gpt-4.1*", 1_047_576, 32_768, "general knowledge"),
    Limit(_OPENAI, "gpt-4o*", 128_000, 16_384, "reports: refusals above the output limit"),
    Limit(("gemini",), "*gemini-4-argon*", 1_048_576, 65_536, "docs"),
    Limit(("gemini",), "*gemini-3*", 1_048_576, 65_536, "docs"),
    Limit(("groq",), "*gpt-oss-*", 131_072, 65_536, "docs"),
    Limit(("mistral",), "mistral-large-4*", 1_048_576, None, "docs"),
    Limit(("mistral",), "mistral-medium-3[-.]5*", 262_144, None, "docs"),
    Limit(("mistral",), "mistral-small-2603*", 256_000, None, "docs: 256k"),
    Limit(("xai",), "grok-4.[567]*", 500_000, None, "docs: 500k"),
    Limit(("xai",), "grok-4.3*", 1_000_000, 30_000, "docs: 1M; registry: output"),
    Limit(("xai",), "grok-build-*", 256_000, None, "docs: 256k"),
    # What the client may fill is the prompt here: the service counts no output against it.
    Limit(("copilot",), "gpt-5.5*", 272_000, None, "registry: input limit"),
    Limit(("copilot",), "claude-opus-4.8*", 168_000, None, "registry: input limit"),
    Limit(("copilot",), "gemini-3.5-flash*", 128_000, None, "registry: input limit"),
)


def known_limits(profile_name: str, model: str) -> tuple[int | None, int | None]:
    """(context window, output limit) of `model` at the provider `profile_name`, each None if unknown."""
    wanted = model.lower()
    for limit in LIMITS:
        if profile_name in limit.rows and fnmatchcase(wanted, limit.pattern):
            return limit.context, limit.output
    return None, None
