"""The mail task: fill a template, and make text of html. Both run in a child, for neither can be bounded otherwise.

A loop in a template may run for ever, and nested lists of 50 kB make html2text write 40 MB in 16 s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from html2text import HTML2Text
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from processors.sandbox.protocol import Parent

NEED = 48 * MEBIBYTE  # of memory: a thousand times what a mail takes
MAX_OUTPUT = 1_000_000  # characters
RESULT = "mail.json"  # the file with the results: {subject?, html?, text?}


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """`{html}` makes text of it; `{folder, names, variables}` fills the first template of each list in `names`."""
    parent.reserve(NEED)
    made = {"html": arguments["html"]} if "html" in arguments else fill(**arguments)
    if "text" not in made:
        made["text"] = text_of(made["html"])
    if any(len(each) > MAX_OUTPUT for each in made.values()):
        msg = f"the mail has more than {MAX_OUTPUT:,} characters"
        raise RefusedError(msg)
    Path(RESULT).write_text(json.dumps({key: value for key, value in made.items() if key not in arguments}))
    return {}


def fill(folder: str, names: dict[str, list[str]], variables: dict[str, Any]) -> dict[str, str]:
    """The parts that have a template: `names` are, by part, the templates to look for, the best one first.

    The text must be in the language of the html, so its template is looked for in the html's place of the list only.
    Raises RefusedError if there is no template, or it can't be filled.
    """
    env = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
    )
    known = set(env.list_templates(filter_func=lambda name: name.endswith((".html", ".txt"))))
    places = [place for place, each in enumerate(zip(names["html"], names["text"], strict=True)) if {*each} & known]
    if not places:
        msg = f"there is no template {names['html'][-1]} in EMAIL_TEMPLATES"
        raise RefusedError(msg)
    chosen = {part: names[part][places[0]] for part in ("html", "text")}
    chosen["subject"] = next((name for name in names["subject"] if name in known), "")
    return {part: _filled(env, name, variables) for part, name in chosen.items() if name in known}


def _filled(env: ImmutableSandboxedEnvironment, name: str, variables: dict[str, Any]) -> str:
    try:
        return env.get_template(name).render(variables)
    except TemplateNotFound as error:
        msg = f"{name}: there is no template {error.name}"
        raise RefusedError(msg) from error
    except TemplateSyntaxError as error:
        msg = f"{error.name or name}, line {error.lineno}: {error.message}"
        raise RefusedError(msg) from error
    except TemplateError as error:  # what is missing or forbidden; no value is in it
        msg = f"{name}: {error.message}"
        raise RefusedError(msg) from error
    except MemoryError:
        raise
    except Exception as error:
        msg = f"{name}: {type(error).__name__} while it was filled; is a variable of another type than it takes?"
        raise RefusedError(msg) from error


def text_of(html: str) -> str:
    """The html as text, with its links, without which a password reset is useless."""
    converter = HTML2Text(bodywidth=0)
    converter.unicode_snob = True  # letters stay as they are
    converter.ignore_images = True
    converter.protect_links = True  # <https://...>: mail programs then know where it ends
    converter.ul_item_mark = "-"
    return converter.handle(html).strip() + "\n"
