"""The page of output: tables for people, and how far each goal is reached."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from .scenarios import SCENARIOS


def machine() -> dict[str, Any]:
    """The class of machine, so that numbers are compared with like ones only."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0].partition(": ")[2] if names else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def render(result: dict[str, Any]) -> str:
    """The result as text."""
    at = result["machine"]
    lines = [f"{at['cores']} x {at['cpu']}, Python {at['python']}, load before {at['load']:.2f}", ""]
    head = (
        "",
        "req/s",
        "ours is",
        "chunks/s",
        "TTFT p50",
        "p99",
        "gap p99",
        "CPU/req",
        "generator",
        "failed",
    )
    titles = {scenario.name: scenario.title for scenario in SCENARIOS}
    for name, found in result["scenarios"].items():
        ours = found.get("ours")
        rows = [(f"{titles[name]} ({name})", *head[1:])]
        for peer, f in found.items():
            ratio = f"{ours['rate'] / f['rate']:.2f}x" if ours and peer != "ours" and f["rate"] else ""
            rows.append(
                (
                    "  " + peer,
                    f"{f['rate']:.1f}" if f["rate"] < 100 else f"{f['rate']:.0f}",
                    ratio,
                    f"{f['chunk_rate']:.0f}",
                    _time(f["ttft_p50"]),
                    _time(f["ttft_p99"]),
                    _time(f["gap_p99"]),
                    _time(f["cpu"]),
                    f"{f['generator']:.0%}",
                    str(f["failed"]),
                )
            )
        lines += [_row(row) for row in rows] + [""]
    if chunk := _per_chunk(result["scenarios"]):
        lines.append("processor time of one more chunk: " + _pairs(chunk, lambda us: f"{us:.1f} us"))
    lines += _extras(result["extras"])
    lines += ["", "goals"]
    lines += [
        f"  {'ok  ' if goal['ok'] else 'MISS'} {goal['goal']}: {goal['found']}" for goal in result["goals"]
    ]
    return "\n".join(lines)


def _per_chunk(scenarios: dict[str, Any]) -> dict[str, float]:
    """By peer: what the longer answers cost over the shorter ones, for each chunk more; in microseconds."""
    many, few = scenarios.get("chunks-16", {}), scenarios.get("stream-16", {})
    more = {
        name: f["chunk_rate"] / f["rate"] - few[name]["chunk_rate"] / few[name]["rate"]
        for name, f in many.items()
        if name in few and f["rate"] and few[name]["rate"]
    }
    return {name: (many[name]["cpu"] - few[name]["cpu"]) / chunks for name, chunks in more.items()}


def _extras(extras: dict[str, Any]) -> list[str]:
    lines = []
    if "start" in extras:
        lines.append("start to first answer: " + _pairs(extras["start"], lambda v: f"{v:.2f} s"))
    for key, title in (
        ("memory_idle", "memory, idle (PSS)"),
        ("memory_after", "memory, after the load (PSS)"),
    ):
        if key in extras:
            lines.append(f"{title}: " + _pairs(extras[key], _megabytes))
    if "size" in extras:
        lines.append("installed size: " + _pairs(extras["size"], _megabytes))
    lines.extend(
        f"conversation of {row['bytes'] / 1e6:5.2f} MB: {row['cpu_ms']:7.2f} ms CPU, "
        f"{1e6 * row['cpu_ms'] / row['bytes']:.1f} ns per byte, first token after {row['ttft_ms']:.1f} ms"
        for row in extras.get("growth", ())
    )
    lines.extend(
        f"16 paced streams beside {row['requests']} requests of {row['bytes'] / 1e6:.1f} MB: "
        f"gap added p99 {row['gap_p99_ms']:.1f} ms, longest {row['gap_max_ms']:.1f} ms"
        for row in extras.get("blocking", ())
    )
    lines.extend(
        f"processor time of a request with none of what records it: {us:.0f} us"
        if name == "nothing"
        else f"  {name}: {us:+.0f} us"
        for name, us in extras.get("sinks", {}).items()
    )
    if "workers" in extras:
        w = extras["workers"]
        lines.append(
            f"workers: {w['rate_1']:.0f} req/s with one, {w['rate_2']:.0f} with two ({w['ratio']:.2f}x), "
            f"CPU {w['cpu_us_1']:.0f} and {w['cpu_us_2']:.0f} us per request, the load program used "
            f"{w['generator_1']:.2f} and {w['generator_2']:.2f} of the 2 cores"
        )
    return lines


def goals(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The goals that this run can judge."""
    found: list[dict[str, Any]] = []
    measured, extras = result["scenarios"], result["extras"]

    def judge(goal: str, value: float, limit: float, unit: str, *, least: bool = False) -> None:
        ok = value >= limit if least else value <= limit
        found.append(
            {
                "goal": f"{goal} {'>=' if least else '<='} {limit:g}{unit}",
                "found": f"{value:.2f}{unit}",
                "ok": ok,
            }
        )

    for scenario, peer, limit in (
        ("stream-16", "litellm", 60),
        ("stream-16", "ant2oai", 5),
        ("stream-16", "nginx", 0.6),
        ("whole-16", "litellm", 50),
        ("whole-16", "nginx", 0.3),
    ):
        row = measured.get(scenario, {})
        if peer in row and row[peer]["rate"]:
            judge(
                f"{scenario}: req/s over {peer}",
                row["ours"]["rate"] / row[peer]["rate"],
                limit,
                "x",
                least=True,
            )
    row = measured.get("stream-16", {})
    if "nginx" in row:
        judge("stream-16: CPU per request over nginx", row["ours"]["cpu"] / row["nginx"]["cpu"], 2, "x")
    row = measured.get("paced-256", {})
    if "nginx" in row:
        judge("paced-256: CPU per request over nginx", row["ours"]["cpu"] / row["nginx"]["cpu"], 2, "x")
    for scenario, limit in (("stream-1", 0.7), ("long-1", 4)):
        row = measured.get(scenario, {})
        if "nginx" in row:
            added = (row["ours"]["ttft_p50"] - row["nginx"]["ttft_p50"]) / 1e3
            judge(f"{scenario}: added time to first token, p50", added, limit, " ms")
    row = measured.get("paced-256", {})
    if row:
        floor = row.get("nginx", {"gap_p99": 20e3})["gap_p99"]
        judge("paced-256: gap p99 added", (row["ours"]["gap_p99"] - floor) / 1e3, 10, " ms")
        spoken = row["ours"]["latency_max"] - row["ours"]["ttft_p99"]
        judge(
            "paced-256: slowest stream after its first token, over its pace", spoken / (65 * 20e3), 1.05, "x"
        )
    for key, peer_limit, unit, scale in (
        ("start", 0.5, " s", 1.0),
        ("memory_idle", 45, " MB", 1e6),
        ("memory_after", 90, " MB", 1e6),
        ("size", 35, " MB", 1e6),
    ):
        if key in extras:
            judge(key.replace("_", ", "), extras[key]["ours"] / scale, peer_limit, unit)
    if "growth" in extras:
        rows = extras["growth"]
        per_byte = [row["cpu_ms"] / row["bytes"] for row in rows]
        judge("growth: CPU per byte at 10 MB over 100 kB", per_byte[-1] / per_byte[0], 1.3, "x")
    if "blocking" in extras:
        rows = extras["blocking"]
        judge(
            "blocking: longest gap added by 10 MB requests",
            rows[-1]["gap_max_ms"] - rows[0]["gap_max_ms"],
            20,
            " ms",
        )
    if "workers" in extras:
        judge("two workers over one", extras["workers"]["ratio"], 1.8, "x", least=True)
    return found


def _pairs(values: dict[str, float], show: Any) -> str:
    return ", ".join(f"{name} {show(value)}" for name, value in values.items())


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB"


def _time(microseconds: float) -> str:
    if microseconds < 1000:
        return f"{microseconds:.0f} us"
    return f"{microseconds / 1000:.1f} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.1f} s"


def _row(cells: tuple[str, ...]) -> str:
    return cells[0].ljust(48) + "".join(cell.rjust(11) for cell in cells[1:])
