"""Documents for tests."""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

from docx import Document
from pypdf import PdfReader, PdfWriter

from processors.media.document import extract_text
from processors.sandbox.limits import MEBIBYTE
from tests.support.media import FakeParent


def read(data: bytes, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The text of a document, and the report; it works in the current directory."""
    Path("source").write_bytes(data)
    arguments = {"maxCharacters": 10_000, "maxPages": 50, "maxUnpacked": 8 * MEBIBYTE, "hint": None, **changes}
    report = extract_text.run(arguments, FakeParent())
    text = Path("text.txt").read_text(encoding="utf-8")
    assert (len(text), Path("text.txt").stat().st_size) == (report["characters"], report["bytes"])
    return text, report


def make_pdf(*pages: str, stream: bytes | None = None, kids: str | None = None) -> bytes:
    """A PDF with these lines, one a page; `stream` is a compressed content for all, `kids` the tree's own."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    numbers = []
    for page in pages:
        content = stream if stream is not None else zlib.compress(f"BT /F1 12 Tf 20 100 Td ({page}) Tj ET".encode())
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(content), content))
        fonts = b"<</Font<</F1 3 0 R>>>>"
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources%s/Contents %d 0 R>>" % (fonts, len(objects))
        )
        numbers.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(pages)}/Kids[{kids or ' '.join(numbers)}]>>".encode()
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    return data + head + table + tail


def locked_pdf(password: str) -> bytes:
    """A PDF that opens with a password."""
    writer = PdfWriter(PdfReader(io.BytesIO(make_pdf("Secret plans"))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


@functools.cache
def letter() -> bytes:
    """A letter as python-docx writes it."""
    document = Document()
    document.add_paragraph("Dear Ada,")
    row = document.add_table(rows=1, cols=2).rows[0].cells
    row[0].text, row[1].text = "left", "right"
    document.add_paragraph("Grüße")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def make_docx(*, xml: bytes | None = None, method: int = zipfile.ZIP_DEFLATED, **parts: bytes) -> bytes:
    """A Word document; `xml` replaces its main part, `parts` are further ones, all compressed by `method`."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(letter())) as old, zipfile.ZipFile(changed, "w", method, compresslevel=1) as new:
        for name in old.namelist():
            new.writestr(name, xml if xml is not None and name == "word/document.xml" else old.read(name))
        for name, content in parts.items():
            new.writestr(name, content)
    return changed.getvalue()


OOXML, STRICT = "http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml"
DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def make_package(
    parts: dict[str, bytes],
    *relations: tuple[str, str],
    main: str = "word/document.xml",
    kind: str = DOCUMENT,
    **words: str,
) -> bytes:
    """An Office document of these parts; `relations` are the types and targets of what `main` points to.

    `kind` is its content type; `words`: `namespace` of its types of relations, `target` of the package's own.
    """
    namespace = words.get("namespace", f"{OOXML}/officeDocument/2006/relationships")
    folder, _, name = main.rpartition("/")
    lists = {
        "_rels/.rels": [("officeDocument", words.get("target", main))],
        f"{folder}/_rels/{name}.rels": relations,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{OOXML}/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/{main}" ContentType="{kind}"/></Types>',
        )
        for path, each in lists.items():
            entries = "".join(
                f'<Relationship Id="i{target}" Type="{namespace}/{word}" Target="{target}"/>' for word, target in each
            )
            archive.writestr(
                path, f'<Relationships xmlns="{OOXML}/package/2006/relationships">{entries}</Relationships>'
            )
        for path, content in parts.items():
            archive.writestr(path, content)
    return file.getvalue()


WORDS = f"{OOXML}/wordprocessingml/2006/main"


def run_of(text: str) -> str:
    """A run of text, in Word's XML."""
    return f"<w:r><w:t>{text}</w:t></w:r>"


def word(body: str, namespace: str = WORDS) -> bytes:
    """A main part with this body."""
    spaces = f'xmlns:w="{namespace}" xmlns:mc="{OOXML}/markup-compatibility/2006"'
    return f'<?xml version="1.0"?><w:document {spaces}><w:body>{body}</w:body></w:document>'.encode()
