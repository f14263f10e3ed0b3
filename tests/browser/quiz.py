"""A question as its learner sees it: radio buttons, two push buttons, and what is said below."""

from __future__ import annotations

from typing import Any

from course_utils.quizzes import get_question
from course_utils.quizzes.question import solve

SAID_MS = 20_000


class Quiz:
    """The question `name` on a page; it must be the only one of that name there."""

    def __init__(self, page: Any, name: str):
        self.page = page
        self.root = page.locator(".course-quiz").filter(has_text=f"{name}: what do you expect?")
        self.root.wait_for()
        self.root.scroll_into_view_if_needed()
        self.radios = self.root.get_by_role("radio")
        self.answer = solve(get_question(name))
        self.wrong = [i for i in range(self.radios.count()) if i != self.answer.right]

    def button(self, text: str) -> Any:
        return self.root.get_by_role("button", name=text, exact=True)

    def said(self) -> str:
        return self.root.get_by_role("status").inner_text()

    def hears(self, *words: str) -> str:
        """Wait until all `words` are said; what is said then."""
        status = self.root.get_by_role("status").element_handle()
        self.page.wait_for_function(
            "([s, words]) => words.every((word) => s.innerText.includes(word))",
            arg=[status, [word.replace("`", "") for word in words]],  # shown as code
            timeout=SAID_MS,
        )
        return self.said()

    def choose_by_keyboard(self, index: int, key: str) -> None:
        """Go to the choice with the arrow keys, and press `key` there."""
        self.radios.first.focus()
        self.page.keyboard.press("Space")
        for _ in range(index):
            self.page.keyboard.press("ArrowDown")
        assert self.radios.nth(index).is_checked()
        self.page.keyboard.press(key)

    def choose_by_mouse(self, index: int) -> None:
        """Click the words of the choice, then Check."""
        self.root.locator("label").nth(index).locator("span").click()
        self.button("Check").click()

    def wrong_by_keyboard_then_right_by_mouse(self) -> None:
        """The way of a learner through the question."""
        self.choose_by_keyboard(self.wrong[-1], "Enter")
        self.hears("✗", "not yet", self.answer.replies[self.wrong[-1]])
        self.choose_by_mouse(self.answer.right)
        self.hears("✓", "right", self.answer.explanation)
