"""Documents for tests."""

from __future__ import annotations

import io
import zipfile
import zlib

from docx import Document


def make_pdf(*pages: str, stream: bytes | None = None, kids: str | None = None) -> bytes:
    """A PDF with these lines, one a page; `stream` is a packed content for all, `kids` the tree's own."""
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


def make_docx(*, xml: bytes | None = None, **parts: bytes) -> bytes:
    """A Word document; `xml` takes the place of its main part, `parts` are more."""
    document = Document()
    document.add_paragraph("Dear Ada,")
    row = document.add_table(rows=1, cols=2).rows[0].cells
    row[0].text, row[1].text = "left", "right"
    document.add_paragraph("Grüße")
    file = io.BytesIO()
    document.save(file)
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, xml if xml is not None and name == "word/document.xml" else old.read(name))
        for name, content in parts.items():
            new.writestr(name, content)
    return changed.getvalue()
