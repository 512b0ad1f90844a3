"""The files of `deploy/` say what they must, and name settings that exist. What has a schema is held against it."""

from __future__ import annotations

import configparser
import plistlib
import re
import shutil
import subprocess
import tomllib
import warnings
from importlib import import_module
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.settings import SETTINGS
from tests import paths

from .fronts import DEPLOY

KUBERNETES = DEPLOY / "kubernetes"
OBJECTS = [
    value
    for path in sorted(KUBERNETES.glob("*.yaml"))
    if path.name not in ("kustomization.yaml", "models.yaml")
    for value in yaml.safe_load_all(path.read_text())
]
VERSION = "1.37"
FLAGS = {f"--{setting.name.replace('_', '-')}" for setting in SETTINGS}


def kind(name: str) -> Any:
    return next(one for one in OBJECTS if one["kind"] == name)


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: one["kind"])
def test_kubernetes_takes_it(one: dict[str, Any]) -> None:
    """The schemas of Kubernetes itself, which refuse unknown fields."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("kubernetes_validate").validate(one, VERSION, strict=True)


def test_kustomize_takes_all_files() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {path.name for path in KUBERNETES.iterdir()}
    assert {*kustomization["resources"], "kustomization.yaml", "models.yaml"} == files
    assert load_models(KUBERNETES / "models.yaml").models
    if shutil.which("kubectl") is None:  # not in Debian
        return
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    assert set(rendered) == {one["kind"] for one in OBJECTS} | {"ConfigMap"}
    volumes = rendered["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["configMap"]["name"] == rendered["ConfigMap"]["metadata"]["name"]


def test_all_mean_the_same_pods() -> None:
    labels = {"app.kubernetes.io/name": "claude-code-proxy"}
    assert kind("Deployment")["spec"]["template"]["metadata"]["labels"] == labels
    assert kind("Service")["spec"]["selector"] == labels
    assert kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    for name in ("Deployment", "PodDisruptionBudget"):
        assert kind(name)["spec"]["selector"]["matchLabels"] == labels


def test_a_pod_may_nothing_and_has_time_to_end() -> None:
    pod = kind("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    probes = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")
    }
    assert probes == {"startup": "/health", "readiness": "/ready", "liveness": "/health"}
    flags = {word.partition("=")[0]: word.partition("=")[2] for word in container["args"][1:]}
    assert set(flags) <= FLAGS
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= pause + int(flags["--drain-timeout"]) + 5
    scaled = [
        metric["pods"]["metric"]["name"] for metric in kind("HorizontalPodAutoscaler")["spec"]["metrics"][:1]
    ]
    assert scaled == ["claude_code_proxy_requests_in_flight"]
    assert kind("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_compose_has_the_instances_of_nginx() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    front = services.pop("front")
    told = {f"{one['networks']['inside']['ipv4_address']}:8082" for one in services.values()}
    assert told == set(re.findall(r"server (\S+:8082) ", (DEPLOY / "nginx.conf").read_text()))
    assert {*front["depends_on"]} == set(services)
    for one in services.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert {word for word in one["command"] if word.startswith("--")} <= FLAGS


def test_the_container_runs_as_nobody_what_is_locked() -> None:
    text = (paths.REPOSITORY / "Dockerfile").read_text()
    assert text.count("\nFROM ") == 2
    assert re.search(r"^USER (?!0)\d+", text.rpartition("\nFROM ")[2], re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert "--require-hashes" in text


def test_systemd_takes_the_unit() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    path = DEPLOY / "claude-code-proxy.service"
    unit.read(path)
    service = unit["Service"]
    assert set(re.findall(r"--[a-z-]+", service["ExecStart"])) <= FLAGS
    assert int(service["TimeoutStopSec"]) > 30
    if shutil.which("systemd-analyze") is None:
        return
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines()
    assert [line for line in lines if path.name in line and "is not executable" not in line] == []


def test_launchd_gets_what_the_server_takes() -> None:
    job = plistlib.loads((DEPLOY / "claude-code-proxy.plist").read_bytes())
    assert {word for word in job["ProgramArguments"] if word.startswith("--")} <= FLAGS
    assert job["ExitTimeOut"] > 30


def test_every_dependency_is_locked_within_its_bounds() -> None:
    text = (paths.REPOSITORY / "requirements.lock").read_text()
    assert "://" not in text
    locked = dict(
        re.findall(r"^([a-z0-9-]+)==([^ ]+)[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    )
    assert len(locked) == len(re.findall(r"^\S+==", text, re.MULTILINE)), "one has no hash"
    project = tomllib.loads((paths.REPOSITORY / "pyproject.toml").read_text())["project"]
    launcher_only = {"keyring", "gcp", "azure", "aws"}  # no server has them (docs/deployment.md)
    extras = {
        name: one for name, one in project["optional-dependencies"].items() if name not in launcher_only
    }
    wanted = [Requirement(line) for line in sum(extras.values(), project["dependencies"])]
    for one in wanted:
        assert locked[one.name.lower()] in one.specifier, one
        assert any(bound.operator == "<" for bound in one.specifier), f"{one} has no upper bound"
