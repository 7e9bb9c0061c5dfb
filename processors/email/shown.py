"""What operators see of a mail: who gets it, what it says, and what became of each recipient. Its html is not drawn."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from processors.email.payload import EmailPayload
from processors.email.result import EmailResult
from queue_lib.shown import Facts, Showing, Table, Text, Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.email.payload import Mailbox
    from queue_lib.shown import Part, Seen

LONGEST = 100_000  # characters of html that are read
TAG = re.compile(r"(<[^<>]*>)")
UNSEEN = frozenset({"style", "script", "title", "head"})  # elements without words for a reader
LINES = re.compile(r"</?(?:p|div|br|tr|table|h\d|li|ul|ol)\b", re.IGNORECASE)
SKIPPED = {
    "already sent": "an earlier job with its idempotencyKey has sent it",
    "expired": "expiresAt was over",
    "cancelled": "its cancelKey was cancelled",
    "suppressed": "EMAIL_SUPPRESSION_TABLE names all of its recipients",
    "muted": "the user does not want it",
    "collapsed": "another job sends it, for several events",
}


def showing() -> Showing:
    """What is shown."""
    return Showing(parts=lambda seen: [*_of_result(seen), *_of_payload(seen)])


def _of_result(seen: Seen) -> Iterator[Part]:
    if not isinstance(result := seen.result, EmailResult):
        return
    if result.skipped:
        yield Words(f"Nothing was sent: {SKIPPED[result.skipped]}.")
    if result.collapsed:
        yield Words(f"One mail for {result.collapsed:,} events.")
    rows = [
        *((address, "taken by the server") for address in result.accepted),
        *(
            (each.address, f"refused: {each.code or 'no answer'} {each.enhanced} {each.message}")
            for each in result.rejected
        ),
        *((address, "not sent: EMAIL_SUPPRESSION_TABLE names it") for address in result.suppressed),
    ]
    if rows:
        yield Table("Recipients", ("Address", "What became of it"), rows)
    if result.response:
        yield Facts({"The server's answer": result.response, "Attempts": str(result.attempts)})


def _of_payload(seen: Seen) -> Iterator[Part]:
    if not isinstance(mail := seen.payload, EmailPayload):
        return
    facts = {
        "From": _listed([mail.sender]) if mail.sender else "MAIL_FROM",
        "To": _listed(mail.to),
        "Cc": _listed(mail.cc),
        "Bcc": _listed(mail.bcc),
        "Subject": mail.subject or "that of the template",
        "Template": " ".join(filter(None, (mail.template, mail.locale))),
        "Attachments": ", ".join(each.filename or each.path.rpartition("/")[2] for each in mail.attachments),
    }
    yield Facts({name: value for name, value in facts.items() if value})
    if mail.text is not None:
        yield Text("Text of the mail", mail.text)
    elif mail.markup is not None:
        yield Text("Words of the html", words_of(mail.markup[:LONGEST]))


def _listed(mailboxes: Sequence[Mailbox]) -> str:
    return ", ".join(f"{each.name} <{each.address}>" if each.name else each.address for each in mailboxes)


def words_of(markup: str) -> str:
    """The words of html, without what is not for readers. The mail's own text is made elsewhere, with its links."""
    words, unseen = [], ""
    for part in TAG.split(markup):
        if not TAG.fullmatch(part):
            words.append("" if unseen else re.sub(r"\s+", " ", part))
        elif unseen:
            unseen = "" if part.lower().startswith(f"</{unseen}") else unseen
        elif (name := re.match(r"<(\w+)", part)) and name[1].lower() in UNSEEN and not part.endswith("/>"):
            unseen = name[1].lower()
        elif LINES.match(part):
            words.append("\n")
    lines = (line.strip() for line in html.unescape("".join(words)).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
