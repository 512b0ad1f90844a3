"""The server's settings: where each one comes from, and what a bad one says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import SETTINGS, ServerSettings

HOME = {"HOME": "/home/u"}


def test_defaults() -> None:
    settings = ServerSettings.load({}, HOME)
    assert settings == ServerSettings(
        models=Path("/home/u/.config/claude-code-proxy/models.yaml"),
        usage_file=Path("/home/u/.local/state/claude-code-proxy/usage.sqlite3"),
    )
    assert (settings.host, settings.port, settings.max_retries, settings.hold) == ("127.0.0.1", 8082, 2, 10)


def test_every_field_has_its_setting() -> None:
    assert [setting.name for setting in SETTINGS] == [
        field.name for field in dataclasses.fields(ServerSettings)
    ]


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({"XDG_CONFIG_HOME": "/x"}, "/x/claude-code-proxy/models.yaml"),
        ({"XDG_CONFIG_HOME": "relative"}, "/home/u/.config/claude-code-proxy/models.yaml"),
        ({"CUSTOM_MODELS_FILE": "/old.yaml"}, "/old.yaml"),
        ({"CUSTOM_MODELS_FILE": "/old.yaml", "CLAUDE_CODE_PROXY_MODELS": "/new.yaml"}, "/new.yaml"),
        ({"CLAUDE_CODE_PROXY_MODELS": ""}, "/home/u/.config/claude-code-proxy/models.yaml"),
    ],
)
def test_models_file(env: dict[str, str], path: str) -> None:
    assert ServerSettings.load({}, HOME | env).models == Path(path)


def test_home_of_the_user_database() -> None:
    assert ServerSettings.load({}, {}).models.is_absolute()


def test_flag_beats_variable_beats_older_variable() -> None:
    env = HOME | {"PORT": "1", "CLAUDE_CODE_PROXY_PORT": "2"}
    assert ServerSettings.load({"port": "3"}, env).port == 3
    assert ServerSettings.load({"port": None}, env).port == 2
    assert ServerSettings.load({}, HOME | {"PORT": "1"}).port == 1


def test_older_names_but_not_host() -> None:
    env = HOME | {
        "PORT": "1",
        "MAX_RETRIES": "0",
        "LOG_LEVEL": "DEBUG",
        "HOST": "0.0.0.0",
    }  # exported by shells
    settings = ServerSettings.load({}, env)
    assert (settings.port, settings.max_retries, settings.log_level) == (1, 0, "debug")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "[::1]", "::1"),
        ("port", "0", 0),
        ("allow_remote", "Yes", True),
        ("allow_remote", "0", False),
        ("allowed_hosts", "Proxy.example, [::1],,null", ("proxy.example", "::1", "null")),
        ("allowed_hosts", "*", ("*",)),
        ("hold", "0", 0.0),
        ("hold", "2.5", 2.5),
        ("idle_timeout", "900", 900.0),
        ("max_body_bytes", "32000000", 32_000_000),
        ("max_body_bytes", "1MiB", 1 << 20),
        ("max_body_bytes", "1m", 1_000_000),
        ("max_response_bytes", "2GiB", 2 << 30),
        ("workers", "4", 4),
        ("token_counts", "Exact", "exact"),
        ("search_url", "https://find.example.com/?q={query}", "https://find.example.com/?q={query}"),
        ("search_key_header", "X-Subscription-Token", "X-Subscription-Token"),
    ],
)
def test_values(name: str, text: str, value: object) -> None:
    assert getattr(ServerSettings.load({}, HOME | {f"CLAUDE_CODE_PROXY_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("flags", "env", "says"),
    [
        ({"port": "80a"}, {}, "--port: must be a whole number from 0 to 65535, not '80a'"),
        ({}, {"CLAUDE_CODE_PROXY_PORT": "65536"}, "CLAUDE_CODE_PROXY_PORT: must be a whole number"),
        ({}, {"PORT": "-1"}, "PORT: must be a whole number"),
        ({"log_level": "warn"}, {}, '(did you mean "warning"?)'),
        ({"log_level": "zzz"}, {}, "--log-level: must be one of debug, info, warning, error, not 'zzz'"),
        ({"hold": "-1"}, {}, "--hold: must be a number of seconds, 0 or more, not '-1'"),
        ({"ping_interval": "0"}, {}, "--ping-interval: must be a number of seconds, at least 1, not '0'"),
        ({"idle_timeout": "inf"}, {}, "--idle-timeout: must be a number of seconds"),
        ({"idle_timeout": "5m"}, {}, "--idle-timeout: must be a number of seconds"),
        ({"max_body_bytes": "0"}, {}, "--max-body-bytes: must be a size like 8192, 64MiB, not '0'"),
        ({"max_body_bytes": "1.5"}, {}, "--max-body-bytes: must be a positive whole number"),
        ({"allow_remote": "perhaps"}, {}, "--allow-remote: must be yes or no, not 'perhaps'"),
        ({"allowed_hosts": "a,http://x"}, {}, "--allowed-hosts: must be a host name"),
        ({"host": "http://x"}, {}, "--host: must be a host name"),
        ({"workers": "0"}, {}, "--workers: must be a whole number from 1 to 64"),
        ({"token_counts": "exakt"}, {}, '(did you mean "exact"?)'),
        ({"search_url": "https://find.example.com/"}, {}, "must be an http(s) address with {query} in it"),
        ({"search_url": "find.example.com?q={query}"}, {}, "must be an http(s) address with {query} in it"),
        ({"search_url": "https://find.example.com/ {query}"}, {}, "--search-url: must be an http(s) address"),
        ({"search_key_header": "X Key"}, {}, "--search-key-header: must be the name of a header"),
    ],
)
def test_bad_values(flags: dict[str, str], env: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerSettings.load(flags, HOME | env)
    assert says in str(caught.value)


def test_bad_values_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        ServerSettings.load({"port": "x", "hold": "y"}, HOME)
    assert len(str(caught.value).splitlines()) == 2
