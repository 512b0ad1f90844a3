"""`claude-code-proxy demo`: provider, proxy and a conversation through both, on this machine alone."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from claude_code_proxy.core import wire
from claude_code_proxy.demo import claude_session
from claude_code_proxy.demo.agent_client import Client, ClientError
from claude_code_proxy.demo.processes import ProcessError, service, wait_healthy
from claude_code_proxy.demo.screen import Screen

_KEY = "demo-key"
_MODEL = "demo-reason"
_MODELS_YAML = """\
- model_id: demo
  api_base: {provider}/v1
  context: 200k
  max_tokens: 32k
- model_id: demo-reason
  api_base: {provider}/v1
  context: 200k
  max_tokens: 32k
"""
_KEEP = """\
Both keep running until Ctrl-C. In another terminal:

  ccproxy -C {config}

or, without the launcher:

  ANTHROPIC_BASE_URL={proxy} ANTHROPIC_AUTH_TOKEN={key} ANTHROPIC_MODEL={model} claude

or, without Claude Code:

  curl -N {proxy}/v1/messages -H 'authorization: Bearer {key}' -H 'content-type: application/json' \\
    -d '{{"model":"{model}","max_tokens":500,"stream":true,"messages":[{{"role":"user","content":"hello"}}]}}'

The demo's model follows simple rules. Try:  run: ls    read FILE    count to 50    explore: run: ls
"""


def run(argv: Sequence[str]) -> int:
    """Run the demo with the arguments behind `demo`. Returns 0 when the conversation went well, else 1."""
    options = _parser().parse_args(argv)
    if options.provider_only:
        return _serve_provider(options.port, options.delay)
    screen = Screen(sys.stdout)
    signal.signal(signal.SIGTERM, _leave)
    try:
        with tempfile.TemporaryDirectory(prefix="claude-code-proxy-demo-") as scratch:
            return _demo(Path(scratch), screen, options)
    except KeyboardInterrupt:
        screen.end()
        return 130
    except (ClientError, ProcessError) as error:
        screen.end()
        sys.stderr.write(f"error: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="claude-code-proxy demo",
        description="Start an embedded provider and the proxy on this machine and talk through both.",
    )
    parser.add_argument("--keep", action="store_true", help="leave both running until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="the proxy's port (default: a free one)")
    parser.add_argument(
        "--client",
        choices=("auto", "claude", "builtin"),
        default="auto",
        help="who talks: Claude Code or a small client of ours (default: Claude Code if it is on the PATH)",
    )
    parser.add_argument(
        "--provider-only", action="store_true", help="serve only the provider, on --port, until it is stopped"
    )
    parser.add_argument(
        "--delay",
        type=float,
        default=0.03,
        metavar="SECONDS",
        help="the provider's pause between two chunks (default: %(default)s)",
    )
    return parser


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends the demo as it should: processes stopped, files removed."""
    raise SystemExit(128 + signal.SIGTERM)


def _ignore_signals() -> None:
    """A second Ctrl-C must not keep the first from stopping everything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _demo(scratch: Path, screen: Screen, options: argparse.Namespace) -> int:
    models, config, folder = scratch / "models.yaml", scratch / "cc-proxy.json", scratch / "work"
    folder.mkdir()
    (folder / "hello.txt").write_text("Hello from the demo.\n")
    (folder / "notes.md").write_text("# Notes\n\nNothing yet.\n")
    provider_arguments = ["demo", "--provider-only", "--delay", str(options.delay)]
    proxy_arguments = ["serve", "--host", "127.0.0.1", "--port", str(options.port), "--models", str(models)]
    with contextlib.ExitStack() as running:
        start = running.enter_context
        provider = start(service("the provider", provider_arguments, scratch / "provider.log"))
        screen.line("demo", f"provider   {provider}   OpenAI Chat Completions, embedded")
        models.write_text(_MODELS_YAML.format(provider=provider))
        proxy = start(service("the proxy", proxy_arguments, scratch / "proxy.log"))
        running.callback(_ignore_signals)
        wait_healthy(proxy)
        screen.line("demo", f"proxy      {proxy}   Anthropic Messages")
        entry = {"base_url": proxy, "auth_key": _KEY, "model": _MODEL, "context": "200k", "max_tokens": "32k"}
        config.touch(mode=0o600)
        config.write_bytes(wire.dumps({"demo": entry}))
        _converse(proxy, config, scratch / "home", folder, screen, options.client)
        screen.line("demo", "That was a conversation with a tool call, through the proxy and back.")
        if not options.keep:
            screen.line("demo", "Next, with a provider's key in the environment: ccproxy init, then ccproxy")
        if options.keep:
            screen.end()
            sys.stdout.write("\n" + _KEEP.format(config=config, proxy=proxy, key=_KEY, model=_MODEL))
            sys.stdout.flush()
            _wait_for_interrupt()
    return 0


def _converse(proxy: str, config: Path, home: Path, folder: Path, screen: Screen, client: str) -> None:
    """Talk with Claude Code if it is wanted and there, else with our own client."""
    if client == "claude" or (client == "auto" and shutil.which("claude")):
        screen.line("demo", "client     Claude Code, started by ccproxy")
        try:
            claude_session.converse(config, home, folder, "run: ls -l", screen)
        except ClientError as error:
            screen.line("demo", f"Claude Code did not do it ({error}); the built-in client takes over.")
        else:
            return
    screen.line("demo", "client     built in")
    talk = Client(proxy, _KEY, _MODEL, folder, screen)
    talk.ask("list the files in .")
    talk.ask("count to 20")


def _wait_for_interrupt() -> None:
    """Return on Ctrl-C: that is how a kept demo ends well."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def _serve_provider(port: int, delay: float) -> int:
    """Serve the provider until a signal ends it."""
    from claude_code_proxy.demo.provider import Provider
    from claude_code_proxy.demo.serving import serve_until_stopped

    def announce(url: str) -> None:
        sys.stdout.write(f"demo provider listening on {url}\n")
        sys.stdout.flush()

    try:
        serve_until_stopped(Provider(delay=delay), port, announce)
    except OSError as error:
        sys.stderr.write(f"error: port {port} cannot be had: {error.strerror}\n")
        return 1
    return 0
