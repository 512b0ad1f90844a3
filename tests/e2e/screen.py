"""A terminal's screen, as far as Claude Code uses one: text, lines, cursor moves, erasing, scrolling."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\x1b\[(?P<private>[<=>?]?)(?P<numbers>[\d;:]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b\].*?(?:\x07|\x1b\\)"
    r"|\x1b[PX^_].*?\x1b\\"
    r"|\x1b(?P<plain>[^\[\]PX^_])"
    r"|(?P<text>[^\x1b])",
    re.DOTALL,
)


class Screen:
    """Rows of cells. `lines` is what stands there, `scrolled` what went out at the top."""

    def __init__(self, rows: int, columns: int) -> None:
        self._rows, self._columns = rows, columns
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0
        self._rest = ""
        self._saved = (0, 0)
        self.scrolled: list[str] = []

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        return "\n".join([*self.scrolled, *self.lines])

    def feed(self, data: str) -> None:
        """Take output; a sequence that is not complete waits for the rest of it."""
        data = self._rest + data
        place = 0
        while place < len(data):
            match = _TOKEN.match(data, place)
            if match is None:
                break
            place = match.end()
            if match["text"]:
                self._write(match["text"])
            elif match["plain"]:
                self._escape(match["plain"])
            elif match["final"] and not match["private"]:
                self._control(
                    match["final"], [int(n) if n.isdigit() else 0 for n in match["numbers"].split(";")]
                )
        self._rest = data[place:]

    def _write(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._line_feed()
        elif character == "\b":
            self._column = max(0, self._column - 1)
        elif character == "\t":
            self._column = min(self._columns - 1, (self._column // 8 + 1) * 8)
        elif character.isprintable() or character.isspace():  # a no-break space counts as not printable
            if self._column >= self._columns:
                self._column = 0
                self._line_feed()
            self._cells[self._row][self._column] = character
            self._column += 1

    def _line_feed(self) -> None:
        if self._row == self._rows - 1:
            self.scrolled.append("".join(self._cells.pop(0)).rstrip())
            self._cells.append([" "] * self._columns)
        else:
            self._row += 1

    def _escape(self, final: str) -> None:
        if final == "7":
            self._saved = (self._row, self._column)
        elif final == "8":
            self._row, self._column = self._saved
        elif final == "M":
            self._row = max(0, self._row - 1)

    def _control(self, final: str, numbers: list[int]) -> None:
        first = numbers[0]
        count = max(1, first)
        if final in "AF":
            self._row = max(0, self._row - count)
        elif final in "BE":
            self._row = min(self._rows - 1, self._row + count)
        elif final == "C":
            self._column = min(self._columns - 1, self._column + count)
        elif final == "D":
            self._column = max(0, self._column - count)
        elif final == "G":
            self._column = min(self._columns, count) - 1
        elif final == "d":
            self._row = min(self._rows, count) - 1
        elif final in "Hf":
            self._row = min(self._rows, count) - 1
            self._column = min(self._columns, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
        elif final == "K":
            start, end = ((self._column, self._columns), (0, self._column + 1), (0, self._columns))[first]
            self._erase(self._row, start, end)
        elif final == "J":
            self._erase_screen(first)
        elif final in "@P":
            cells = self._cells[self._row]
            blanks = [" "] * count
            if final == "@":
                cells[self._column : self._column] = blanks
            else:
                del cells[self._column : self._column + count]
                cells += blanks
            del cells[self._columns :]
        elif final == "b":
            for _ in range(count):
                self._write(self._cells[self._row][max(0, self._column - 1)])
        elif final == "X":
            self._erase(self._row, self._column, min(self._columns, self._column + count))
        if final in "EF":
            self._column = 0

    def _erase_screen(self, kind: int) -> None:
        if kind == 0:
            self._erase(self._row, self._column, self._columns)
        first, last = ((self._row + 1, self._rows), (0, self._row), (0, self._rows), (0, 0))[kind]
        for row in range(first, last):
            self._erase(row, 0, self._columns)

    def _erase(self, row: int, start: int, end: int) -> None:
        self._cells[row][start:end] = [" "] * (end - start)
