"""`GET /v1/models` and `GET /v1/models/{id}`, in Anthropic's shape."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from claude_code_proxy.config.models_yaml.model_table import ALIAS_PREFIX, is_shown_by_clients
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.header_values import whole_number
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.gateway import Gateway
from claude_code_proxy.server.routes.model_info import model_info

_MAX_LIMIT = 1000
_DEFAULT_LIMIT = 20
_MOST_SHOWN = 200  # characters of an id


async def list_models(gateway: Gateway, call: Call) -> None:
    """Answer one page of the models, aliases included: the configured ones, then those of wildcard entries.

    Raises `ApiError` 400.
    """
    query = parse_qs(call.query)
    rows = await _rows(gateway, call)
    ids = [model_id for model_id, _ in rows]
    start, end = 0, len(rows)
    if after := query.get("after_id"):
        start = _position(ids, "after_id", after[-1]) + 1
    if before := query.get("before_id"):
        end = _position(ids, "before_id", before[-1])
    limit = _limit(query.get("limit", [str(_DEFAULT_LIMIT)])[-1])
    # a page before an id is the one next to it, as in Anthropic's own API
    page = rows[max(start, end - limit) : end] if before and not after else rows[start:end][:limit]
    more = len(rows[start:end]) > len(page)
    data = [shown for _, shown in page]
    await call.respond_json(
        {
            "data": data,
            "has_more": more,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
    )


async def show_model(gateway: Gateway, call: Call, model_id: str) -> None:
    """Answer one model by its id or alias. Raises `ApiError` 404."""
    config = gateway.upstreams.resolve(model_id)
    await call.respond_json(model_info(gateway, model_id, config, _betas(call)))


async def _rows(gateway: Gateway, call: Call) -> list[tuple[str, dict[str, Any]]]:
    """Id and description of each model; an id that is configured by itself is not shown a second time."""
    betas = _betas(call)
    rows = {
        model_id: model_info(gateway, model_id, config, betas)
        for model_id, config in gateway.models.table.public()
    }
    for model_id, config, listed in await gateway.catalogue.models(call):
        shown = model_info(gateway, model_id, config.concrete(model_id), betas, listed.window)
        shown["display_name"] = listed.name
        rows.setdefault(model_id, shown)
        if not is_shown_by_clients(model_id):
            alias = ALIAS_PREFIX + model_id
            rows.setdefault(alias, {**shown, "id": alias})
    return list(rows.items())


def _betas(call: Call) -> str:
    return call.headers.get("anthropic-beta", "")


def _limit(text: str) -> int:
    limit = whole_number(text)
    if limit is None or not 1 <= limit <= _MAX_LIMIT:
        raise invalid_request(f"limit: must be a number from 1 to {_MAX_LIMIT}")
    return limit


def _position(ids: list[str], name: str, model_id: str) -> int:
    try:
        return ids.index(model_id)
    except ValueError:
        raise ApiError(
            404, "not_found_error", f"{name}: no model has the id {model_id[:_MOST_SHOWN]!r}"
        ) from None
