from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.bounded_map import BoundedMap


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans())), st.integers(1, 4))
def test_the_newest_are_kept(steps: list[tuple[int, bool]], most: int) -> None:
    kept: BoundedMap[int, int] = BoundedMap(most)
    order: list[int] = []
    for key, sets in steps:
        if sets:
            kept[key] = key
        elif key in kept:
            kept.touch(key)
        else:
            continue
        order = [*(other for other in order if other != key), key][-most:]
        assert list(kept) == order
