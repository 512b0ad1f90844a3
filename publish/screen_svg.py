"""A recorded terminal as an animated SVG without a script; what does not animate it shows the last frame."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT, SIZE = 8.0, 18.0, 13.3
"""Of a character, and of its font, in pixels."""
_EDGE, _BAR = 14, 30
_FONT = "ui-monospace,'Cascadia Mono','SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
_PAPER, _BORDER, _INK = "#161b22", "#6e7681", "#e6edf3"
"""A dark window with a border: it stands out on white pages and on black ones."""
_COLOURS = {
    "default": _INK, "black": "#484f58", "red": "#ff7b72", "green": "#3fb950", "brown": "#d29922",
    "blue": "#58a6ff", "magenta": "#bc8cff", "cyan": "#39c5cf", "white": "#b1bac4",
    "brightblack": "#8b949e", "brightred": "#ffa198", "brightgreen": "#56d364", "brightbrown": "#e3b341",
    "brightblue": "#79c0ff", "brightmagenta": "#d2a8ff", "brightcyan": "#56d4dd", "brightwhite": "#ffffff",
}  # fmt: skip


class Style(NamedTuple):
    """How a character looks; colours are pyte's names, or six hexadecimal digits."""

    ink: str = "default"
    paper: str = "default"
    bold: bool = False
    italic: bool = False


class Frame(NamedTuple):
    """What stands on the screen from `time` (seconds) on: rows of characters, each with its style."""

    time: float
    rows: tuple[tuple[tuple[str, Style], ...], ...]


def render(frames: Sequence[Frame], columns: int, title: str, rest: float = 4.0) -> str:
    """The SVG of `frames`, which start again after the last one has stood for `rest` seconds."""
    lines = len(frames[0].rows)
    width, height = columns * WIDTH + 2 * _EDGE, lines * HEIGHT + _EDGE + _BAR
    drawn: dict[tuple[tuple[str, Style], ...], int] = {}
    strip = []
    for number, frame in enumerate(frames):
        top = number * lines * HEIGHT
        for row, cells in enumerate(frame.rows):
            if any(text.strip() or style.paper != "default" for text, style in cells):
                known = drawn.setdefault(cells, len(drawn))
                strip.append(f'<use href="#r{known}" y="{top + row * HEIGHT:g}"/>')
    shapes = "".join(f'<g id="r{number}">{_row(cells)}</g>' for cells, number in drawn.items())
    total = frames[-1].time + rest
    steps = "".join(
        f"{100 * frame.time / total:.2f}%{{transform:translateY({-number * lines * HEIGHT:g}px)}}"
        for number, frame in enumerate(frames)
    )
    last = f"translateY({-(len(frames) - 1) * lines * HEIGHT:g}px)"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img"
 xml:space="preserve">
<title>{escape(title)}</title>
<style>
text{{font:{SIZE}px {_FONT};white-space:pre}}
#strip{{animation:roll {total:.1f}s steps(1,end) infinite}}
@keyframes roll{{{steps}100%{{transform:{last}}}}}
@media(prefers-reduced-motion:reduce){{#strip{{animation:none;transform:{last}}}}}
</style>
<defs>{shapes}</defs>
<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" rx="8" fill="{_PAPER}" stroke="{_BORDER}"/>
<circle cx="18" cy="15" r="5" fill="#ff5f57"/><circle cx="36" cy="15" r="5" fill="#febc2e"/>\
<circle cx="54" cy="15" r="5" fill="#28c840"/>
<svg x="{_EDGE}" y="{_BAR}" width="{columns * WIDTH:g}" height="{lines * HEIGHT:g}" fill="{_INK}">
<g id="strip" transform="{last.replace("translateY(", "translate(0,").replace("px", "")}">{"".join(strip)}</g>
</svg>
</svg>
"""


def _row(cells: Sequence[tuple[str, Style]]) -> str:
    """A row at the place 0,0: runs of the same style, each exactly as wide as its characters."""
    parts = []
    column = 0
    for style, group in groupby(cells, key=lambda cell: cell[1]):
        text = "".join(character for character, _ in group)
        left, wide = column * WIDTH, len(text) * WIDTH
        column += len(text)
        if style.paper != "default":
            paper = _colour(style.paper)
            parts.append(f'<rect x="{left:g}" width="{wide:g}" height="{HEIGHT:g}" fill="{paper}"/>')
        bare = text.strip()
        if not bare:
            continue
        left += wide - len(text.lstrip()) * WIDTH
        look = "" if style.ink == "default" else f' fill="{_colour(style.ink)}"'
        look += ' font-weight="bold"' if style.bold else ""
        look += ' font-style="italic"' if style.italic else ""
        parts.append(
            f'<text x="{left:g}" y="{HEIGHT * 0.74:.1f}" textLength="{len(bare) * WIDTH:g}"'
            f' lengthAdjust="spacingAndGlyphs"{look}>{escape(bare)}</text>'
        )
    return "".join(parts)


def _colour(name: str) -> str:
    return _COLOURS.get(name) or f"#{name}"
