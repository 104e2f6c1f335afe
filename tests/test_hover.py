"""What links show before they are followed is what the pages say."""

from __future__ import annotations

from types import ModuleType

import extensions
import pytest

HEAD = "<p><strong>Question.</strong> Does it\n <em>help</em>?</p>"
GLANCE = '<aside class="glance" aria-label="Summary"><p class="head">Claims: 2 hold</p></aside>'


@pytest.fixture(scope="module")
def hover() -> ModuleType:
    return extensions.load("hover")


def test_a_chapter_says_its_question_and_its_answer_or_else_its_verdicts(
    hover: ModuleType,
) -> None:
    answer = "<p><strong>Answer.</strong> It &lt;does&gt;.</p>"
    assert hover.chapter(HEAD + answer + GLANCE) == ["Does it help?", "It <does>."]
    assert hover.chapter(HEAD + GLANCE) == ["Does it help?", "Claims: 2 hold"]
    assert hover.chapter(HEAD) == ["Does it help?"]
    assert hover.chapter("<p>A page without a question.</p>") is None


def test_a_term_says_its_first_sentence(hover: ModuleType) -> None:
    glossary = (
        '<dl class="glossary"><dt id="term-cap">cap</dt><dd><p>Grows to 0.05 and no further. See '
        'there.</p></dd><dt id="term-w">w</dt><dd><p>As <span class="math">x</span> says:</p></dd>'
        "</dl>"
    )
    assert hover.terms(glossary) == {
        "term-cap": "Grows to 0.05 and no further.",
        "term-w": "As … says",
    }
    assert hover.terms("") == {}
