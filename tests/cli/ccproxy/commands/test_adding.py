"""`ccproxy add|init`, as someone meets them who has a key and nothing else."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.cc_proxy_json.session_plan import speaks_anthropic
from tests.cli.ccproxy.test_private_proxy import free_port
from tests.cli.desk import KEY, LEAST, Desk
from tests.cli.person import talk

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream


def written(desk: Desk) -> Any:
    return json.loads(desk.config.read_text(encoding="utf-8"))


def test_add(desk: Desk) -> None:
    desk.config.unlink()
    code, _, err = desk.run("add", "deepseek", DEEPSEEK_API_KEY=KEY)
    assert (code, err.startswith(f"added deepseek to {desk.config}")) == (0, True)
    assert desk.config.stat().st_mode & 0o777 == 0o600
    value = written(desk)["deepseek"]
    assert (value["auth_key"], value["base_url"]) == ("env:DEEPSEEK_API_KEY", "https://api.deepseek.com")
    arguments = ["--url", "http://127.0.0.1:9/v1", "--model=qwen", "--key=cmd:echo x"]
    assert desk.run("add", "mine", *arguments)[0] == 0
    names = [provider["name"] for provider in json.loads(desk.run("list", "--json")[1])["providers"]]
    assert names == ["deepseek", "mine"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["deepsek"], output.USAGE, 'did you mean "deepseek"?'),
        (["mine", "--url", "ftp://x", "--model", "m"], output.USAGE, "must start with https://"),
        (["deepseek", "--key", KEY], output.USAGE, "--key takes env:NAME"),
        (["mine", "--url", "http://x", "--model", "m"], output.USAGE, "give the key's place with --key"),
        (["azure", "--key", "env:K", "--model", "m"], output.USAGE, "give your own address with --url"),
        (["zz"], output.USAGE, "own: ccproxy add zz --url URL --model MODEL; known are cerebras"),
        (["depseek"], output.USAGE, 'did you mean "deepseek"? One of your own: ccproxy add depseek --url'),
        (["a"], output.CONFIG, "ccproxy remove a"),
        ([], output.USAGE, "add takes the name of one provider"),
        (["a", "--url", "http://x", "--model", "m", "--key", "env:K"], output.CONFIG, "already exists"),
        (["b", "--nope"], output.USAGE, "add takes --key, --url, --model, not --nope"),
    ],
)
def test_add_says_what_is_wrong(desk: Desk, arguments: list[str], code: int, says: str) -> None:
    desk.providers({"a": LEAST})
    before = desk.config.read_bytes()
    found, out, err = desk.run("add", *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert desk.config.read_bytes() == before


def test_add_asks_without_echo(desk: Desk) -> None:
    """On a terminal the key is typed, and nothing shows it."""
    code, said = talk(desk, "add", "groq", types=[("(not shown)", KEY)])
    assert code == 0, said
    assert KEY not in said
    assert written(desk)["groq"]["auth_key"] == KEY
    assert desk.config.stat().st_mode & 0o777 == 0o600


def test_init(desk: Desk) -> None:
    code, _, err = desk.run("init", "deepseek")
    assert (code, "already exists (hint: ccproxy add NAME" in err) == (output.FAILURE, True)
    desk.config.unlink()
    code, _, err = desk.run("init")
    assert (code, "no provider's key is in the environment" in err) == (output.FAILURE, True)
    assert desk.run("init", DEEPSEEK_API_KEY=KEY, GROQ_API_KEY="x" * 20)[0] == 0
    value = written(desk)
    assert {name: entry["auth_key"] for name, entry in value.items()} == {
        "deepseek": "env:DEEPSEEK_API_KEY",
        "groq": "env:GROQ_API_KEY",
    }
    assert value["deepseek"]["default"] is True
    assert desk.run("init", "--force", "kimi")[0] == 0
    assert list(written(desk)) == ["kimi"]


def offer(upstream: Upstream, *names: str, **windows: int) -> None:
    """Let the provider publish these models."""
    rows = [{"id": name, "object": "model", "context_length": windows.get(name, 0)} for name in names]
    upstream.provider.models = rows


def test_every_provider_with_a_key_is_found(desk: Desk) -> None:
    """A key in the environment is never told to be none, whatever is known of the provider's models."""
    desk.config.unlink()
    for variable, name in (("OPENROUTER_API_KEY", "openrouter"), ("FIREWORKS_API_KEY", "fireworks")):
        code, _, err = desk.run("init", **{variable: KEY})
        assert code == output.USAGE
        assert f"ccproxy init {name} --model MODEL" in err
        assert "(hint" not in err
    assert desk.run("init", "openrouter", "--model", "qwen/q", OPENROUTER_API_KEY=KEY)[0] == 0
    assert written(desk)["openrouter"]["model"] == "qwen/q"
    code, _, err = desk.run("init", "--force", OPENROUTER_API_KEY=KEY, GROQ_API_KEY=KEY)
    assert (code, list(written(desk))) == (0, ["groq"])
    assert "ccproxy add openrouter --model MODEL" in err


def test_the_first_provider_stays_the_default(desk: Desk) -> None:
    """The README's own sequence: init, add, ccproxy."""
    desk.config.unlink()
    keys = {"DEEPSEEK_API_KEY": KEY, "GROQ_API_KEY": "k"}
    assert desk.run("init", DEEPSEEK_API_KEY=KEY)[0] == 0
    code, _, err = desk.run("add", "groq", **keys)
    assert (code, "deepseek stays the default" in err) == (0, True)
    assert desk.claude(**keys)["env"]["CCPROXY_SESSION"] == "deepseek"
    assert desk.run("add", "xai", XAI_API_KEY="k", **keys)[0] == 0
    assert desk.claude(**keys)["env"]["CCPROXY_SESSION"] == "deepseek"
    assert desk.claude("-P", "xai", XAI_API_KEY="k", **keys)["env"]["CCPROXY_SESSION"] == "xai"


@pytest.mark.parametrize(("alias", "variable"), [("grok", "XAI_API_KEY"), ("moonshot", "MOONSHOT_API_KEY")])
def test_the_names_that_people_use(desk: Desk, alias: str, variable: str) -> None:
    assert desk.run("add", alias, **{variable: KEY})[0] == 0
    assert written(desk)[alias]["auth_key"] == f"env:{variable}"


def test_a_server_on_this_machine_needs_no_key(desk: Desk, upstream: Upstream) -> None:
    offer(upstream, "qwen3:30b", "nomic-embed-text")
    arguments = ["ollama", "--url", f"{upstream.url}/v1"]
    code, _, err = desk.run("init", "--force", *arguments)
    assert (code, "ollama has one model: qwen3:30b" in err) == (0, True)
    assert written(desk)["ollama"] == {
        "base_url": f"{upstream.url}/v1",
        "model": "qwen3:30b",
        "profile": "ollama",
    }
    code, out, err = desk.run("ask")
    assert (code, err) == (0, "")
    assert "it works" in out


def test_several_installed_models_are_named(desk: Desk, upstream: Upstream) -> None:
    offer(upstream, "qwen3:30b", "glm-5.3")
    code, _, err = desk.run("add", "ollama", "--url", upstream.url)
    assert code == output.USAGE
    exact = f"ccproxy add ollama --url {upstream.url} --model qwen3:30b"
    assert f"{exact}; it has qwen3:30b, glm-5.3" in err
    assert desk.run(*exact.split()[1:])[0] == 0


def test_the_command_that_is_named_has_all_that_was_typed(desk: Desk, upstream: Upstream) -> None:
    offer(upstream, *(f"model-{n}" for n in range(10)))
    given = ("add", "mine", "--key", "cmd:echo key", "--url", f"{upstream.url}/v1")
    _, _, err = desk.run(*given)
    exact = shlex.split(err.split(": ", 2)[2].partition(";")[0])
    assert exact == ["ccproxy", *given, "--model", "model-0"]
    assert "and 2 more" in err
    assert "ccproxy models mine" not in err  # it is not in the file yet
    assert desk.run(*exact[1:])[0] == 0


@pytest.mark.parametrize("name", ["ollama", "vllm", "lmstudio"])
def test_a_server_that_does_not_run(desk: Desk, name: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, _, err = desk.run("add", name, "--url", url)
    assert code == output.USAGE
    assert f"is not running at {url}: " in err


def test_the_lists_window_is_kept_where_nothing_else_knows_it(desk: Desk, upstream: Upstream) -> None:
    offer(upstream, "strange/one", "plain", **{"strange/one": 262144})
    url = f"{upstream.url}/v1"
    assert desk.run("add", "mine", "--url", url, "--model", "strange/one")[0] == 0
    assert written(desk)["mine"]["context"] == 262144
    code, _, err = desk.run("add", "other", "--url", url, "--model", "strange/two")
    assert (code, 'does not list "strange/two"; it has strange/one' in err) == (0, True)


def test_on_a_terminal_the_model_is_chosen_by_typing_a_part_of_it(desk: Desk, upstream: Upstream) -> None:
    offer(upstream, *(f"vendor/model-{n}" for n in range(40)), "qwen/coder", "qwen/coder-plus")
    types = [("and 27 more", "coder"), ("qwen/coder-plus", "nothing like it"), ("nothing fits", "Coder PLUS")]
    code, said = talk(desk, "add", "mine", "--url", f"{upstream.url}/v1", types=types)
    assert code == 0, said
    assert written(desk)["mine"]["model"] == "qwen/coder-plus"


def test_a_provider_is_found_by_its_makers_name_too(desk: Desk) -> None:
    desk.config.unlink()
    code, said = talk(desk, "init", types=[("a part of it)", "moonshot"), ("not shown", KEY)])
    assert (code, list(written(desk))) == (0, ["kimi"]), said


def test_init_asks_on_a_terminal(desk: Desk) -> None:
    desk.config.unlink()
    code, said = talk(desk, "init", types=[("provider (", "xa"), ("(not shown)", KEY)])
    assert (code, KEY in said) == (0, False)
    assert written(desk)["xai"]["auth_key"] == KEY


def test_ccproxy_alone_offers_it_where_there_is_no_file(desk: Desk) -> None:
    desk.config.unlink()
    code, said = talk(desk, types=[("[Y/n]", "n")])
    assert (code, desk.config.exists()) == (output.CONFIG, False)
    code, said = talk(desk, types=[("[Y/n]", "")], DEEPSEEK_API_KEY=KEY)
    assert code == 0
    assert '"ANTHROPIC_MODEL": "deepseek-v4-pro"' in said
    desk.config.unlink()
    code, _, err = desk.run()
    assert (code, "with: ccproxy init)" in err) == (output.CONFIG, True)


VERTEX = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic"
RUNTIME = "https://bedrock-runtime.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("name", "url", "env", "key"),
    [
        ("vertex", VERTEX, {}, "google:"),
        ("bedrock", f"{RUNTIME}/model", {}, "aws:"),
        (
            "bedrock",
            f"{RUNTIME}/anthropic",
            {"AWS_BEARER_TOKEN_BEDROCK": KEY},
            "env:AWS_BEARER_TOKEN_BEDROCK",
        ),
    ],
)
def test_a_cloud_is_added_with_its_own_login(
    desk: Desk, name: str, url: str, env: dict[str, str], key: str
) -> None:
    code, _, err = desk.run("add", name, "--url", url, "--model", "claude-x", **env)
    assert code == 0, err
    entry = json.loads(desk.config.read_text())[name]
    assert entry == {"base_url": url, "auth_key": key, "model": "claude-x"}
    provider = next(one for one in load_providers(desk.config) if one.name == name)
    assert speaks_anthropic(provider)
