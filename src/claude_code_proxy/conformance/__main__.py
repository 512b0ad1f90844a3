"""The command: run the suite against a gateway, print what it did, exit 1 if it failed anywhere."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

from claude_code_proxy.conformance import behaviour, own_gateway, results_table, scripted_upstream
from claude_code_proxy.conformance.requester import Result, Target, run
from claude_code_proxy.demo.processes import ProcessError

_PROG = "python -m claude_code_proxy.conformance"
_EPILOG = f"""\
examples:
  {_PROG} --self
  {_PROG} --base-url http://127.0.0.1:4000 --model conformance --auth-key sk-any --upstream-port 9900
  {_PROG} --self --only 'tools.*'

The gateway under test must send the model's requests to the upstream that this command starts. Start the
command with --config to see the lines for it; --upstream-port keeps the address the same.
Exit codes: 0 all ok, 1 a failure, 2 wrong usage.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    behaviours = [row for row in behaviour.load() if fnmatchcase(row.id, options.only)]
    if not behaviours:
        parser.error(f"--only {options.only}: no such behaviour (--list shows them)")
    if options.list:
        _print(results_table.listing(behaviours))
        return 0
    if options.config:
        _print(_lines(f"http://{scripted_upstream.LOOPBACK}:{options.upstream_port}/v1", options.model))
        return 0
    if not (options.own or options.base_url):
        parser.error("give --base-url, or --self for our own proxy")
    try:
        results = asyncio.run(_run(behaviours, options))
    except (OSError, ProcessError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if options.json:
        _print(json.dumps(results_table.document(results), indent=1))
    else:
        _print(results_table.groups(results) if options.markdown else results_table.table(results))
    return int(any(result.judgement.verdict != "ok" for result in results))


async def _run(behaviours: list[behaviour.Behaviour], options: argparse.Namespace) -> list[Result]:
    cases = behaviour.cases(behaviours)
    async with contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(
            scripted_upstream.serving(behaviours, options.upstream_port)
        )
        base_url = options.base_url
        if options.own:
            base_url = await stack.enter_async_context(own_gateway.own_proxy(address, options.model))
        elif not options.json:
            sys.stderr.write(f"the upstream: {address}\n{_lines(address, options.model)}\n")
        target = Target(base_url=base_url, model=options.model, key=options.auth_key, limit=options.limit)
        return await run(cases, target, jobs=options.jobs, done=_progress if sys.stderr.isatty() else None)


def _lines(address: str, model: str) -> str:
    return (
        f"# models.yaml of claude-code-proxy\n{own_gateway.models_yaml(address, model)}\n"
        f"# config.yaml of LiteLLM\n{own_gateway.litellm_yaml(address, model)}"
    )


def _progress(result: Result) -> None:
    sys.stderr.write("." if result.judgement.verdict == "ok" else result.judgement.verdict[0])
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        _PROG,
        description="Ask a gateway everything an upstream can do wrong, and see whether it stays honest.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--base-url", metavar="URL", help="the gateway, without /v1/messages")
    parser.add_argument("--self", dest="own", action="store_true", help="start our own proxy and test that")
    parser.add_argument("--model", metavar="M", default="conformance", help="default: conformance")
    parser.add_argument("--auth-key", metavar="K", default="sk-conformance", help="the client's key")
    parser.add_argument("--only", metavar="GLOB", default="*", help="only behaviours whose id fits")
    parser.add_argument("--upstream-port", metavar="N", type=int, default=0, help="default: a free one")
    parser.add_argument("--limit", metavar="S", type=float, default=15.0, help="seconds until HANGS; 15")
    parser.add_argument("--jobs", metavar="N", type=int, default=8, help="requests at a time; 8")
    parser.add_argument("--json", action="store_true", help="the results as a JSON document")
    parser.add_argument("--markdown", action="store_true", help="the sums by group as a Markdown table")
    parser.add_argument("--list", action="store_true", help="list the behaviours and stop")
    parser.add_argument("--config", action="store_true", help="print the gateways' configuration and stop")
    return parser


if __name__ == "__main__":
    sys.exit(main())
