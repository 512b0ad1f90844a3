"""What kind of failure an error text tells of, by words that stand near each other in one sentence.

Providers put quota, rate, capacity and missing abilities behind the same statuses, each in words of its own.
A rule is a kind of failure and groups of words: it holds where a sentence has a word of every group within a
few words of the first.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Literal, NamedTuple

from claude_code_proxy.core.errors.words import END, read_words

Failure = Literal[
    "state", "no_memory", "crashed", "bad_call", "no_ability", "billing", "used_up", "rate", "busy"
]


class _Rule(NamedTuple):
    """`groups` hold alternatives, a phrase of two or three words joined by blanks among them."""

    failure: Failure
    groups: tuple[frozenset[str], ...]
    within: int = 8


def _rule(failure: Failure, *groups: str, within: int = 8) -> _Rule:
    return _Rule(failure, tuple(frozenset(group.split("|")) for group in groups), within)


_LIMITS = "limit|limits|quota|quotas|cap|allowance|allocation|budget|limitation"
_SPENT = (
    "reached|exceeded|exceeds|exceed|exhausted|used up|used|hit|over|consumed|depleted|ran out|run out|no"
    "|out of|insufficient|spent|finished|met"
)
_PERIOD = "month|monthly|week|weekly|hour|hours|usage|subscription|plan|session|billing period|month's"
_ABILITY = (
    "tool|tools|tool use|tool calling|function calling|function call|functions|tool choice|image|images"
    "|vision|multimodal|image input|audio|video|file input"
)

# The first rule that holds counts, so what says most comes first.
_RULES: tuple[_Rule, ...] = (
    _rule(
        "state",
        "thought signature|thoughtsignature|thought signatures|encrypted content|encrypted reasoning"
        "|signature|reasoning details|reasoning opaque|reasoning item|reasoning items|reasoning encrypted",
        "invalid|corrupted|corrupt|malformed|mismatch|missing|decrypt|decrypted|verify|verified|verification"
        "|decode|decoded|decoding|parse|parsed|expired"
        "|unknown|match|not valid|bad|wrong|tampered|failed|incorrect"
        "|required|not found|unrecognized",
        within=10,
    ),
    _rule(
        "no_memory",
        "requires|require|needs|need|requested",
        "system memory|memory|vram|ram",
        "available|have|free",
    ),
    _rule("no_memory", "not enough|insufficient|lack|lacks", "memory|vram|ram|system resources", within=5),
    _rule("no_memory", "failed to|unable to|cannot|could not", "allocate", within=3),
    _rule(
        "crashed",
        "cuda|hip|rocm|metal|cublas|vulkan|nccl|xid",
        "error|failure|memory|illegal|assert|fault",
        within=5,
    ),
    _rule(
        "crashed",
        "runner|process|model|engine|worker|server|backend|enginecore|subprocess|scheduler|actor",
        "crashed|terminated|died|dead|exited|killed|unexpectedly stopped|stopped unexpectedly|segfault",
        within=6,
    ),
    _rule(
        "crashed",
        "segmentation fault|enginedeaderror|core dumped|ggml assert|signal arrived|illegal memory access",
    ),
    _rule(
        "bad_call",
        "failed to|could not|cannot|unable to|error",
        "parse|parsing|generate|call",
        "tool call|tool calls"
        "|function call|a function|the function|function calls|tool arguments|failed generation",
    ),
    _rule("bad_call", "malformed|invalid generated|unparsable", "tool call|function call|tool calls"),
    _rule("bad_call", "tool call validation", "failed"),
    _rule(
        "no_ability",
        "no endpoints|no endpoint|no providers|no provider|no allowed providers|no hosts",
        "found|available|matching",
        "support|supports|matching|policy|allowed|settings|restrictions|requirements|handle|parameters"
        "|modality|input|selected",
        within=14,
    ),
    _rule(
        "no_ability",
        "not support|no support for|not supported|unsupported by|not enabled|not capable of|not available"
        "|not a multimodal",
        _ABILITY,
        within=6,
    ),
    _rule(
        "billing",
        "insufficient|low|too low|exhausted|depleted|negative|out of|ran out|run out|used all|not enough|lack"
        "|no remaining|no available|no more|zero|empty"
        "|requires more|need more|no|have no|add|purchase|buy|top up"
        "|recharge|spent|consumed|used up|expired|afford|all available",
        "balance|credit|credits|funds|prepaid|prepayment",
    ),
    _rule("billing", "afford", "tokens|request|more"),
    _rule(
        "billing",
        "billing|payment",
        "not active|inactive|details|required|hard limit|overdue|failed|method|disabled|issue"
        "|past due|not enabled|suspended|declined|information|activate|enable|is not|setup|set up",
    ),
    _rule("billing", "account|organization|team", "not active|overdue|arrears|in arrears|past due"),
    _rule(
        "billing",
        "plan|subscription|trial|package|membership",
        "expired|ended|not active|inactive|canceled|cancelled|lapsed",
    ),
    _rule("billing", "top up|recharge|pay your|upgrade your plan"),
    _rule("used_up", "spending|spend|expense", _LIMITS),
    _rule("used_up", _PERIOD, _LIMITS, _SPENT, within=12),
    _rule("used_up", _PERIOD, _LIMITS, "resets|reset|renews|until|next", within=14),
    _rule("used_up", "quota", _SPENT, "month|week|daily|day|usage|your", within=8),
    _rule("used_up", "daily|today|today's|free", _LIMITS + "|requests|messages", _SPENT, within=10),
    _rule("rate", "rate limit|rate limited|rate limits|ratelimit|too many requests|throttled|slow down"),
    _rule(
        "rate", "requests|tokens|request|token", "per minute|per second|per min|/ min|/ minute|per hour|/ sec"
    ),
    _rule("rate", "concurrent|concurrency|parallel", "limit|exceeded|too many|maximum|reached"),
    _rule(
        "busy",
        "overloaded|overload|at capacity|over capacity|high demand|no capacity|heavy load|too busy|is busy"
        "|high load|high traffic|capacity exceeded|currently busy|server busy",
    ),
)

_CHINESE_RULES: tuple[tuple[Failure, re.Pattern[str]], ...] = (
    ("no_memory", re.compile("显存不足|内存不足")),
    ("crashed", re.compile("(?:模型|进程|引擎|服务)[^。]{0,4}(?:崩溃|异常退出)")),
    ("no_ability", re.compile("不支持[^。]{0,6}(?:工具|函数|图片|图像|视觉|多模态)")),
    (
        "used_up",
        re.compile(
            "(?:每月|本月|每周|本周|月度|周度|每日|今日|当日|小时|使用)[^。]{0,10}(?:上限|限额|额度|配额|用量|限制)"
            "|(?:上限|限额|配额|用量)[^。]{0,10}(?:重置|恢复)"
        ),
    ),
    (
        "billing",
        re.compile(
            "余额不足|欠费|(?:账户|账号|帐户)[^。]{0,6}(?:余额|欠款|停用|透支)|请[^。]{0,4}充值|资源包[^。]{0,8}(?:用完|用尽|耗尽|不足|过期|到期)"
            "|(?:套餐|订阅|会员|试用|免费额度)[^。]{0,6}(?:到期|过期|失效|结束|用完|用尽|耗尽)"
            "|额度[^。]{0,6}(?:用完|用尽|耗尽|不足)|未开通(?:计费|付费)|配额不足"
        ),
    ),
    (
        "rate",
        re.compile(
            "请求[^。]{0,6}(?:频繁|频率|过快|过多)|速率限制|限流|并发[^。]{0,8}(?:上限|限制|过高|超过)|每分钟"
        ),
    ),
    ("busy", re.compile("访问量过大|繁忙|负载过高|过载|稍后再试")),
)
_CHINESE = re.compile("(?!)")  # here Chinese is not read word by word


def failure_in(message: str) -> Failure | None:
    """The kind of failure that the words of `message` tell of, or None."""
    sentences: list[list[str]] = [[]]
    for word in read_words(message, (), _CHINESE):
        if word.text == END:
            sentences.append([])
        elif word.text not in ",:()[]":
            sentences[-1].append(word.text)
    places = [_places(sentence) for sentence in sentences]
    for rule in _RULES:
        if any(_holds(rule, place) for place in places):
            return rule.failure
    return next((failure for failure, pattern in _CHINESE_RULES if pattern.search(message)), None)


def _places(sentence: list[str]) -> dict[str, list[int]]:
    """Where each word, pair and triple of a sentence stands."""
    places: dict[str, list[int]] = {}
    for size in (1, 2, 3):
        for start in range(len(sentence) - size + 1):
            places.setdefault(" ".join(sentence[start : start + size]), []).append(start)
    return places


def _holds(rule: _Rule, places: dict[str, list[int]]) -> bool:
    found = [
        sorted(place for word in group & places.keys() for place in places[word]) for group in rule.groups
    ]
    return all(found) and any(
        all(_near(start, other, rule.within) for other in found[1:]) for start in found[0]
    )


def _near(start: int, places: list[int], within: int) -> bool:
    at = bisect_left(places, start - within)
    return at < len(places) and places[at] <= start + within
