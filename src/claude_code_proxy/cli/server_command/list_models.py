"""`claude-code-proxy models`: what is configured, and what a running server has learned."""

from __future__ import annotations

from pathlib import Path

from claude_code_proxy.cli import output
from claude_code_proxy.cli.server_command.running_server import NoAnswerError, ask
from claude_code_proxy.config.models_yaml.learned_lines import entry_lines
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.models_file import load_models


def configured(path: Path, *, as_json: bool) -> int:
    """Print the models of a models file; returns the exit code. Raises `ConfigError`."""
    loaded = load_models(path)
    for text in loaded.warnings:
        output.warning(text)
    if as_json:
        models = [_described(model) for model in loaded.models]
        output.document({"version": 1, "file": str(path), "models": models})
        return output.OK
    rows = [("MODEL", "UPSTREAM NAME", "FORMAT", "PROFILE", "CONTEXT", "OUTPUT", "API BASE")]
    rows += [
        (
            model.model_id,
            model.model_name,
            model.format,
            model.profile.name,
            str(model.context or "-"),
            str(model.max_tokens or "-"),
            model.api_base,
        )
        for model in loaded.models
    ]
    output.table(rows)
    return output.OK


def learned(url: str, *, as_json: bool) -> int:
    """Print what the server at `url` has learned, as lines for models.yaml; returns the exit code."""
    try:
        found = ask(url, "/v1/stats", "learned")["learned"]
    except NoAnswerError as error:
        output.error(error)
        return output.FAILURE
    if as_json:
        output.document({"version": 1, "url": url, "learned": found})
        return output.OK
    if not found:
        output.note(f"the server at {url} has learned nothing so far")
        return output.OK
    print("# Learned from refusals; merge these lines into the entries of models.yaml.")
    for model_id, fields in found.items():
        print(entry_lines(model_id, fields))
    return output.OK


def _described(model: ModelConfig) -> dict[str, object]:
    return {
        "model_id": model.model_id,
        "model_name": model.model_name,
        "api_base": model.api_base,
        "url": model.chat_url or model.messages_url,
        "format": model.format,
        "profile": model.profile.name,
        "context": model.context,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "can_stream": model.can_stream,
    }
