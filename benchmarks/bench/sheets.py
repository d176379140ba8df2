"""Tables for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Sheet(NamedTuple):
    """A table of texts; the first column is words, the rest figures."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def show(self, console: Console) -> None:
        """Print it."""
        table = Table(title=self.title)
        for number, head in enumerate(self.head):
            table.add_column(head, justify="left" if number == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> str:
        """As lines of a page."""
        rule = ["---", *["---:"] * (len(self.head) - 1)]
        lines = [[cell.replace("|", "\\|") for cell in row] for row in (self.head, rule, *self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(sheets: Sequence[Sheet], page: Path) -> None:
    """Put the tables into a page, each between its marks. Raises ValueError where a mark is missing."""
    text = page.read_text()
    for sheet in sheets:
        begin, end = f"<!-- {sheet.name}:begin -->\n", f"<!-- {sheet.name}:end -->"
        if begin not in text or end not in text:
            raise ValueError(f"{page}: {begin.strip()} and {end} were expected, with the table between them. Add both")
        before, rest = text.split(begin)
        text = before + begin + sheet.markdown() + "\n" + end + rest.split(end)[1]
    page.write_text(text)
