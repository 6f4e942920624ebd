"""The screen on a terminal: redrawn in place while a shift goes on, left standing when it is over.

It does not take over the whole terminal, so the story can be scrolled back to afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from meshshift.lab.demo.group_view import group_screen
from meshshift.lab.demo.view import screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.lab.demo.frame import Frame


class LiveScreen:
    """A Display for people."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Print the text above whatever comes next."""
        styled = Text(text)
        styled.highlight_regex(r"(?m)^PASSED.*", "bold green")
        styled.highlight_regex(r"FAILED.*", "bold red")
        self._console.print(styled, soft_wrap=True)

    def show(self, frames: Sequence[Frame]) -> None:
        """Redraw."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        width, height = self._console.size
        several = len(frames) > 1
        shown = group_screen(frames, width, height - 1) if several else screen(frames[0], width, height - 1)
        self._live.update(shown, refresh=True)

    def finish(self) -> None:
        """Leave the last screen standing."""
        if self._live is not None:
            self._live.stop()
            self._live = None
