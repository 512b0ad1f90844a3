"""The words of "the prompt does not fit": nouns and what they are about, words of excess and of limits."""

from __future__ import annotations

import re

PROMPT, TOKENS, LOOSE, OUTPUT, OTHER = "prompt", "tokens", "loose", "output", "other"
"""What a noun is about. `TOKENS` are the prompt's where nothing else is said; `LOOSE` says too little."""


def _set(line: str) -> frozenset[str]:
    return frozenset(line.split())


def _table(**lines: str) -> dict[str, str]:
    return {word: name for name, line in lines.items() for word in line.split()}


NOUNS = _table(
    prompt="""prompt prompts input inputs context contexts ctx conversation conversations message messages
        history dialogue dialog chat sequence seq question query content contents transcript keep window
        输入 提示词 提示 上下文 消息 对话 会话 内容 问题""",
    tokens="token tokens 令牌",
    loose="request requests text body payload entity 请求 文本",
    output="""max_tokens max_completion_tokens max_output_tokens max_new_tokens max_gen_tokens max_gen_len
        max_tokens_to_sample num_predict n_predict maxoutputtokens output outputs completion completions
        response responses generation generate generated generating answer reply thinking reasoning budget
        输出 生成 补全 回复""",
    other="""tool tools function functions schema schemas description descriptions name names string strings
        array arrays list lists item items element elements entry entries enum enums property properties
        parameter parameters argument arguments field fields image images picture pictures photo file files
        document documents pdf page pages audio video media url urls uri stop stops metadata key keys label
        labels id ids identifier header headers cookie temperature top_p top_k penalty logprobs bias seed
        depth nesting level levels recursion rate quota quotas minute hour second day week month credit
        credits balance spend spending billing concurrency concurrent connection connections timeout deadline
        time duration latency memory vram ram disk gpu user users title batch batches breakpoint
        breakpoints block blocks dimension dimensions resolution width height effort logit template
        attachment attachments upload object objects websocket queue value integer float password account
        organization subscription date age version attempt attempts retries price cost choices candidates
        branch branches definitions keyword keywords regex pattern timestamp role roles protocol
        工具 函数 图片 图像 文件 字段 参数 名称 描述 数组 频率 速率 并发 配额 额度 余额
        超时 内存""",
)
UNITS = _set("""character characters char chars byte bytes kb mb gb kib mib gib words px pixels
    字符 字节 字 seconds minutes hours days ms s""")
RATES = _set(
    "tpm rpm tpd rpd tps rate ratelimit hourly daily weekly monthly quota quotas "
    "速率 频率 配额 每分钟 每秒 每天"
)
TIMES = _set("minute minutes min second seconds sec s hour hours day days week month")
PER = frozenset(("per", "/", "each", "every", "a"))
BREAKS = frozenset((".", ",", "but", "however", "because", "which", "while", "whereas", "so", "please"))
EXCEED = _set("""exceed exceeds exceeded exceeding surpass surpasses surpassed overflow overflows overflowed
    overrun 超过 超出 大于 超限 过长 太长 超长 过大 太大 溢出 过多 太多""")
THAN = _set("longer larger greater bigger higher more")
FEWER = _set("less fewer shorter smaller lower")
TOO = _set("long large big lengthy 长 大")
OVER = _set("over above beyond past")
NOT = _set("not cannot can't doesn't don't won't unable couldn't to")
BOUNDS = _set("""maximum max maximal limit limits limited cap bound longest range most up
    最大 上限 限制 最多 最长 范围""")
"""Words that say that a number is a limit, or that a length has one."""
BEFORE_LIMIT = (
    BOUNDS
    | EXCEED
    | _set("""than allowed allows only upto supports supported support accepts takes handle handles under
    below within 小于 低于 不超过""")
)
AFTER_LIMIT = _set("maximum max limit cap allowed context window 上限 限制")
MUST = _set("must should cannot may can 必须 应 不能")
LENGTHS = _set("length len size limit tokens token count window number 长度 大小 数量 个数")
ASKED = _set("""requested got given received provided has have had contains contain contained resulted sent
    total
    passed used using actual current currently found estimated approximately about roughly
    实际 当前""")
HAS = ASKED - {"current", "total", "actual", "当前", "实际"}
WINDOWS = _set("context contexts ctx window 上下文")
WHOLE = frozenset(word for word in NOUNS if "_" in word)
_LETTERS = re.compile(r"[a-z_]+")
CHINESE = re.compile(
    "|".join(
        sorted(
            {
                word
                for table in (NOUNS, UNITS, RATES, EXCEED, BEFORE_LIMIT, MUST, LENGTHS, ASKED, TOO)
                for word in table
                if word > "\u3400"
            },
            key=len,
            reverse=True,
        )
    )
)
PROMPT_FIELDS = _set(
    "messages input inputs prompt contents content parts text system instructions body request"
)
SUMMED = _set("tool tools function functions image images audio definitions schemas")


def noun_of(word: str) -> str:
    """What a word, or the path of a field, is about; "" where it is no noun."""
    if len(word) > 1 and ("." in word or "[" in word):
        parts = _LETTERS.findall(word)
        return PROMPT if PROMPT_FIELDS.issuperset(parts) else OTHER
    return NOUNS.get(word, "")
