"""A question on the screen: radio buttons in a notebook, and the same in words everywhere else."""

from __future__ import annotations

import functools
import html
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from course_utils.live import noted, rerun
from course_utils.live.canvas import with_kernel_end
from course_utils.live.controls import close_widgets
from course_utils.names import unknown_name
from course_utils.printing import NEUTRAL, RIGHT, WRONG, inline_html, note_html
from course_utils.quizzes.question import LETTERS, Question, solve

NOT_ANSWERED = "not answered"
NOT_YET = "not yet"
ANSWERED = "right"

_EDGES = {NOT_ANSWERED: NEUTRAL, NOT_YET: WRONG, ANSWERED: RIGHT}
_SIGNS = {NOT_ANSWERED: "○", NOT_YET: "✗", ANSWERED: "✓"}

_solved = functools.cache(solve)  # a cell that runs again need not measure again


class Panel(anywidget.AnyWidget):
    """The radio buttons; see panel.js. (ipywidgets' own have no group that a screen reader could
    name, and cut off a choice that is longer than a line.)

    Traits:
        question: heading and question, as HTML.
        choices: the choices, as HTML.
        shown: what has come of it so far, as `Prediction` tells it.
    """

    _esm = with_kernel_end(Path(__file__).with_name("panel.js"))
    _css = Path(__file__).with_name("panel.css")
    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)


class Prediction:
    """A question, and what the learner has said so far. ``state`` is "not answered", "not yet" or
    "right"; a question whose answer was shown keeps the state that it had.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.state = NOT_ANSWERED
        self.message = ""
        """What the learner is told, in words."""
        self.tries: list[str] = []
        """The letters that were chosen, in order."""
        self.revealed = False
        self._answer = _solved(question)
        self._panel: Panel | None = None
        self._turn = 0
        self._closed = False

    @property
    def name(self) -> str:
        """The question's name, as in ``"09.saddle"``."""
        return self.question.name

    @property
    def right(self) -> bool:
        """Whether the learner has chosen the right answer."""
        return self.state == ANSWERED

    @property
    def done(self) -> bool:
        """Whether there is nothing left to say: answered rightly, or shown."""
        return self.right or self.revealed

    # -- what the learner does ---------------------------------------------------------------------

    def answer(self, letter: str) -> Prediction:
        """Choose an answer by its letter; the same object, for the notebook to show.

        Raises:
            ValueError: there is no choice of that letter.
        """
        letters = LETTERS[: len(self.question.choices)]
        wanted = letter.strip().strip(")").casefold() if isinstance(letter, str) else ""
        if len(wanted) != 1 or wanted not in letters:
            raise unknown_name(f"choice of {self.name}", letter, letters)
        if not self.done:
            self.tries.append(wanted)
            chosen = letters.index(wanted)
            if chosen == self._answer.right:
                self._tell(self._answer.explanation, ANSWERED)
            else:
                self._tell(f"It is not {wanted}). {self._answer.replies[chosen]}", NOT_YET)
        return self

    def reveal(self) -> Prediction:
        """Show the answer; the same object, for the notebook to show."""
        if not self.done:
            self.revealed = True
            self._tell(self._solution(), self.state)
        return self

    def _tell(self, message: str, state: str) -> None:
        """Every change of the state goes through here."""
        self.message, self.state = message, state
        self._turn += 1
        if self._panel is not None:
            self._panel.shown = self._shown()

    # -- in words ----------------------------------------------------------------------------------

    def _words(self, index: int) -> str:
        text = self.question.choices[index].text
        return f"{LETTERS[index]}) {text}" + ("" if text.endswith((".", "!", "?")) else ".")

    def _solution(self) -> str:
        return f"{self._words(self._answer.right)} {self._answer.explanation}"

    def _verdict(self) -> str:
        what = "the answer" if self.revealed else self.state
        return f"{_SIGNS[self.state]} {self.name}: {what}"

    def __repr__(self) -> str:
        if self.message:
            return f"{self._verdict()[2:]}. {self.message}"
        lines = [f"{self.name}: what do you expect? {self.question.text}"]
        lines += [f"  {self._words(i)}" for i in range(len(self.question.choices))]
        lines.append(
            f'To answer in words: predict("{self.name}", "a"). '
            f'To give up: predict("{self.name}").reveal()'
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The question with its answer folded; for one that was answered, the verdict."""
        if self.message:
            return note_html(
                _EDGES[self.state], self._verdict(), inline_html(self.message), role="status"
            )
        # Letters as text: themes number an HTML list as they like.
        choices = [inline_html(self._words(i)) for i in range(len(self.question.choices))]
        body = (
            f"{inline_html(self.question.text)}<p>{'<br>'.join(choices)}</p>"
            "Decide, then unfold the answer; or run this cell and choose."
            f"<details><summary>The answer</summary>{inline_html(self._solution())}</details>"
        )
        return note_html(NEUTRAL, self._heading(), body, role="note")

    def _heading(self) -> str:
        return f"{_SIGNS[NOT_ANSWERED]} {self.name}: what do you expect?"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict, dict]:
        data: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if self._closed:
            return data, {}
        rerun.adopt(self)
        data[noted.WIDGET_VIEW] = noted.view_of(self.widget.model_id)
        return data, {noted.LIVE: self.widget.model_id}

    # -- the widget --------------------------------------------------------------------------------

    @property
    def widget(self) -> Panel:
        """The radio buttons, made when first asked for."""
        if self._panel is None:
            self._panel = Panel(
                question=f"<b>{html.escape(self._heading())}</b><br>{inline_html(self.question.text)}",
                choices=[inline_html(self._words(i)) for i in range(len(self.question.choices))],
                shown=self._shown(),
            )
            self._panel.on_msg(self._on_message)
        return self._panel

    def _shown(self) -> dict[str, Any]:
        body = f"<b>{html.escape(self._verdict())}.</b> {inline_html(self.message)}"
        return {
            "turn": self._turn,
            "edge": _EDGES[self.state],
            "said": body if self.message else "",
            "wrong": [
                LETTERS.index(letter)
                for letter in self.tries
                if LETTERS.index(letter) != self._answer.right
            ],
            "right": self._answer.right if self.done else -1,
        }

    def _on_message(self, _: Any, message: Any, __: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "ready" and self._panel is not None:
            noted.note(self._panel.model_id)
        elif kind == "reveal":
            self.reveal()
        elif kind == "answer":
            chosen = message.get("choice")
            if type(chosen) is int and 0 <= chosen < len(self.question.choices):
                self.answer(LETTERS[chosen])
            elif not self.done:
                self._tell("Choose one of the answers first.", self.state)

    @property
    def closed(self) -> bool:
        """Whether the cell that showed the question has run again."""
        return self._closed

    def close(self) -> None:
        """Take the radio buttons away; the words stay."""
        self._closed = True
        if self._panel is not None:
            noted.forget(self._panel.model_id)
            close_widgets(self._panel)
            self._panel = None
