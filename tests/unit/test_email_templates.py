"""Templates: the best language, everything escaped, and a clear reason for what can't be filled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processors.email.payload import EmailPayload
from processors.email.render import run, text_of
from processors.email.words import Writer, locales
from processors.sandbox.protocol import RefusedError
from queue_lib.errors import PermanentError

PARTS = {"html": ".html", "text": ".txt", "subject": ".subject.txt"}


class FakeParent:
    """Grants all."""

    def progress(self, percent: float) -> None:
        """Nothing."""

    def allow(self, unused: int) -> None:
        """Nothing."""

    def reserve(self, need: int, unused: int = 0) -> None:
        """Granted."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the templates; the task runs in another one."""
    (tmp_path / "task").mkdir()
    monkeypatch.chdir(tmp_path / "task")
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


def write(folder: Path, **files: str) -> None:
    """Templates, by their names with _ in place of dots."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def filled(folder: Path, locale: str | None = None, **variables: Any) -> dict[str, str]:
    """The parts of the template."""
    names = {part: [f"welcome{each}{end}" for each in locales(locale)] for part, end in PARTS.items()}
    run({"folder": str(folder), "names": names, "variables": variables}, FakeParent())
    found: dict[str, str] = json.loads(Path("mail.json").read_text())
    return found


def test_values_are_escaped_in_html_alone(folder: Path) -> None:
    """And they are never templates themselves."""
    write(folder, welcome_html="<b>{{ name }}</b>", welcome_txt="{{ name }}", welcome_subject_txt="Hi {{ name }}")
    name = "<script>{{ 7*7 }}&"

    assert filled(folder, name=name) == {
        "html": "<b>&lt;script&gt;{{ 7*7 }}&amp;</b>",
        "text": name,
        "subject": f"Hi {name}",
    }


def test_text_is_made_of_the_html(folder: Path) -> None:
    """With its links."""
    write(folder, welcome_html="<p>Hello</p><a href='https://b.example/r?t=1&amp;u=2'>Reset</a>")

    assert filled(folder)["text"] == "Hello\n\n[Reset](<https://b.example/r?t=1&u=2>)\n"


@pytest.mark.parametrize(
    ("locale", "html", "text"),
    [
        ("de-AT", "Servus", "Servus\n"),
        ("de_AT", "Servus", "Servus\n"),
        ("de-CH", "Hallo", "Hallo (Text)"),
        ("de", "Hallo", "Hallo (Text)"),
        ("fr", "Hello", "Hello (text)"),
        (None, "Hello", "Hello (text)"),
    ],
)
def test_the_best_language_is_taken(folder: Path, locale: str | None, html: str, text: str) -> None:
    """The text is in that of the html; the subject may be in a wider one."""
    write(folder, welcome_html="Hello", welcome_txt="Hello (text)", welcome_subject_txt="Welcome")
    write(folder, welcome_de_html="Hallo", welcome_de_txt="Hallo (Text)")
    (folder / "welcome.de-AT.html").write_text("Servus")

    assert filled(folder, locale=locale) == {"html": html, "text": text, "subject": "Welcome"}


def test_a_template_may_use_others(folder: Path) -> None:
    """Those of its folder."""
    write(folder, base_html="<main>{% block body %}{% endblock %}</main>")
    write(folder, welcome_html="{% extends 'base.html' %}{% block body %}Hi{% endblock %}")

    assert filled(folder)["html"] == "<main>Hi</main>"


def test_a_template_of_text_alone(folder: Path) -> None:
    """Has no html."""
    write(folder, welcome_txt="Hi")

    assert filled(folder) == {"text": "Hi"}


REFUSED = {
    "none": ({}, r"there is no template welcome\.html in EMAIL_TEMPLATES"),
    "a missing value": ({"welcome_html": "{{ nmae }}"}, r"welcome\.html: 'nmae' is undefined"),
    "a missing part of a value": ({"welcome_html": "{{ user.nmae }}"}, r"has no attribute 'nmae'"),
    "a fault of syntax": ({"welcome_html": "a\n{% if %}"}, r"welcome\.html, line 2: "),
    "another that is missing": (
        {"welcome_html": "{% include 'x.html' %}"},
        r"welcome\.html: there is no template x\.html",
    ),
    "another outside": ({"welcome_html": "{% include '../secret.html' %}"}, r"there is no template \.\./secret\.html"),
    "the insides of Python": ({"welcome_html": "{{ ''.__class__.__mro__ }}"}, r"'__class__' of 'str' object is unsafe"),
    "a long loop": ({"welcome_html": "{% for i in range(10**9) %}{% endfor %}"}, r"OverflowError while it was filled"),
    "changes": ({"welcome_html": "{{ user.clear() }}"}, r"'clear' of 'dict' object is unsafe"),
    "a wrong type": ({"welcome_html": "{{ 1 + name }}"}, r"welcome\.html: TypeError while it was filled"),
}


@pytest.mark.parametrize(("files", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_not_be_filled_has_a_reason(folder: Path, files: dict[str, str], reason: str) -> None:
    """It names the template and no value."""
    (folder.parent / "secret.html").write_text("secret")
    write(folder, **files)

    with pytest.raises(RefusedError, match=reason) as caught:
        filled(folder, user={"name": "Ada"}, name="Ada")
    assert "Ada" not in str(caught.value)


def test_a_mail_has_a_most(folder: Path) -> None:
    """A loop over a long list is no mail."""
    write(folder, welcome_html="{% for i in range(99999) %}0123456789ab{% endfor %}", welcome_txt="x")

    with pytest.raises(RefusedError, match=r"more than 1,000,000 characters"):
        filled(folder)


@pytest.mark.usefixtures("folder")
def test_text_of_given_html() -> None:
    """Only the text comes back."""
    run({"html": "<h1>Grüße</h1><ul><li>eins<li>zwei</ul><img src=cid:logo alt=Logo>"}, FakeParent())

    assert json.loads(Path("mail.json").read_text()) == {"text": "# Grüße\n\n  - eins\n  - zwei\n"}


def test_scripts_and_styles_are_no_text() -> None:
    """They would be the first lines of many mails."""
    assert text_of("<style>p{color:red}</style><script>x</script><p>Hi</p>") == "Hi\n"


class InThisProcess:
    """A sandbox that is none."""

    async def run(self, task: Any) -> None:
        """Run the task here."""
        run(task.arguments, FakeParent())


async def test_a_subject_has_a_most(folder: Path) -> None:
    """As that of a payload: what a variable holds may be very long, and a header of it takes minutes to write."""
    write(folder, welcome_html="<p>Hello</p>", welcome_subject_txt="{{ title }}")
    writer = Writer(InThisProcess(), folder)  # type: ignore[arg-type]

    def payload(title: str) -> EmailPayload:
        return EmailPayload.model_validate({"to": "a@b.example", "template": "welcome", "variables": {"title": title}})

    assert "é" * 900 == (await writer.words(payload("é" * 900), Path())).subject
    with pytest.raises(PermanentError, match=r"subject: the template welcome\.subject\.txt makes"):
        await writer.words(payload("é" * 901), Path())
