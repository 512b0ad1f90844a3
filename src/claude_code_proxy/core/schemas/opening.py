"""The keywords of one schema, with what its references and its `allOf` say."""

from __future__ import annotations

from typing import Any, NamedTuple

from claude_code_proxy.core.schemas.clean import Schema, clean
from claude_code_proxy.core.schemas.dialects import ANNOTATIONS, Dialect
from claude_code_proxy.core.schemas.merge import both
from claude_code_proxy.core.schemas.references import References

_MOST_PRODUCTS = 32
_MOST_CHAINS = 32


class TooLarge(Exception):  # noqa: N818 - says what the result is
    """More would come out than is allowed."""


class Chain(NamedTuple):
    """The references that were put in place around a schema, and how many of them inside each other."""

    inside: frozenset[str] = frozenset()
    depth: int = 0


class Opener:
    """Opens the schemas of one `root`; at most `most_references` references are put in place in each other.

    `lost` are the keywords that are less strict in what comes out, or gone; `bad` those that had no meaning.
    What is made of the root may weigh `most` (a schema or a listed value: 1). Beyond that it raises
    `TooLarge`, or leaves out what is left where it `cuts`.
    """

    def __init__(self, root: Any, dialect: Dialect, *, most_references: int, most: int, cuts: bool) -> None:
        self.dialect = dialect
        self.references = References(root)
        self.lost: set[str] = set()
        self.bad: set[str] = set()
        self.named: dict[str, str] = {}
        """References that stay, by their name in `$defs`."""
        self._most_references = most_references
        self._left = most
        self._cuts = cuts

    def open(self, schema: Any, chain: Chain, *, inline: bool = False) -> tuple[Schema, Chain]:
        """The keywords of `schema` and the chain that holds inside it.

        Either without `$ref`, and without an `allOf` that the dialect does not take; or nothing but a `$ref`
        into `$defs`, which `inline` allows only where a schema contains itself or gets too large.
        """
        opened = self._clean(schema)
        while True:
            if "$ref" in opened:
                reference = opened.pop("$ref")
                kept = self._kept(reference, opened, chain, inline=inline)
                if kept is not None:
                    return kept, chain
                opened, chain = self._put_in_place(reference, opened, chain)
            elif "allOf" in opened and (
                "allOf" not in self.dialect.keywords or inline or len(opened["allOf"]) == 1
            ):
                opened, chain = self._together(opened.pop("allOf"), opened, chain)
            else:
                return opened, chain

    def merge(self, first: Schema, second: Schema) -> Schema | None:
        """What holds where both schemas do, as near as one schema can say it; None if nothing can be both."""
        merged, left = both(first, second)
        if merged is None:
            return None
        for one, other in ((first, second), (second, first)):
            if one.get("additionalProperties", True) not in (True, {}) and (
                other.get("properties", {}).keys() - one.get("properties", {}).keys()
            ):
                self.lost.add("additionalProperties")
        for key, value in left.items():
            if key in ("anyOf", "oneOf") and len(merged[key]) * len(value) <= _MOST_PRODUCTS:
                merged[key] = [{"allOf": [mine, other]} for mine in merged[key] for other in value]
            else:
                self.lost.add(key)
        return merged

    def _together(self, parts: list[Any], beside: Schema, chain: Chain) -> tuple[Schema, Chain]:
        """`beside` and all the `parts` as one schema, merged in pairs: each is copied a few times only."""
        schemas = [beside]
        chains = [chain]
        for part in parts:
            opened, inner = self.open(part, chain, inline=True)
            if "$ref" in opened:
                self.lost.add("allOf")
            else:
                schemas.append(opened)
                chains.append(inner)
        while len(schemas) > 1:
            pairs = zip(schemas[::2], schemas[1::2], strict=False)
            odd = schemas[len(schemas) - len(schemas) % 2 :]
            schemas = [*(self._merged_or_first(*pair) for pair in pairs), *odd]
        if len(chains) <= _MOST_CHAINS:
            inside = frozenset[str]().union(*(one.inside for one in chains))
            chain = Chain(inside, max(one.depth for one in chains))
        return schemas[0], chain

    def _merged_or_first(self, first: Schema, second: Schema) -> Schema:
        merged = self.merge(first, second)
        if merged is None:
            self.lost.add("allOf")
            return first
        return merged

    def _clean(self, schema: Any) -> Schema:
        if self._left < 0:
            if not self._cuts:
                raise TooLarge
            self.lost.add("nesting")
            return {}
        cleaned, bad = clean(schema)
        listed = (cleaned.get(key) for key in ("enum", "required", "type"))
        self._left -= 1 + sum(len(values) for values in listed if isinstance(values, list))
        self._left -= len(cleaned.get("description", "")) // 32
        self.bad.update(bad)
        return cleaned

    def _kept(self, reference: str, beside: Schema, chain: Chain, *, inline: bool) -> Schema | None:
        """The reference as it stays, or None where what it points at is put in its place."""
        if "$ref" not in self.dialect.keywords or self.references.target(reference) is None:
            return None
        if self._again(reference, chain):
            self.lost.update(beside.keys() - ANNOTATIONS)
        elif beside or inline:
            return None
        name = self.references.name(reference)
        self.named[name] = reference
        return {"$ref": f"#/$defs/{name}"}

    def _put_in_place(self, reference: str, beside: Schema, chain: Chain) -> tuple[Schema, Chain]:
        target = self.references.target(reference)
        if target is None:
            self.lost.add("$ref")
            return beside, chain
        cleaned = self._clean(target)
        if self._again(reference, chain):
            self.lost.add("$ref")
            kept = {key: cleaned[key] for key in ("type", "title", "description") if key in cleaned}
            return kept | beside, chain
        inner = cleaned.pop("$ref", None)
        merged = self._merged_or_first(cleaned, beside)
        return merged if inner is None else {**merged, "$ref": inner}, Chain(
            chain.inside | {reference}, chain.depth + 1
        )

    def _again(self, reference: str, chain: Chain) -> bool:
        return reference in chain.inside or chain.depth >= self._most_references
