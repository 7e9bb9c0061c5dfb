"""The types of the package's entries for browsers, in a page and in a service worker."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support import package
from tests.support.package import MODULES

CONSUMER = Path(__file__).parent / "consumer"
NEEDS = ("@types/react", "csstype", "react")
PAGE, WORKER = ["DOM", "DOM.Iterable", "DOM.AsyncIterable"], ["WebWorker"]  # they exclude each other
COMPILERS = [
    *(pytest.param(name, marks=pytest.mark.matrix) for name in ("typescript-oldest", "typescript")),
    "typescript-newest",
]


@pytest.fixture(scope="module")
def app(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with the package in its `node_modules`."""
    folder = tmp_path_factory.mktemp("app")
    package.install(tarball, folder, *NEEDS)
    (folder / "package.json").write_text('{ "type": "module" }\n')
    return folder


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("file", "lib"), [("page.ts", PAGE), ("sw.ts", WORKER)])
def test_it_compiles(app: Path, compiler: str, file: str, lib: list[str]) -> None:
    """With `tsc --strict`, the declarations of the package included."""
    options = {
        "target": "ES2022",
        "lib": ["ES2023", *lib],
        "module": "esnext",
        "moduleResolution": "bundler",
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "noEmit": True,
        "types": [],
    }
    shutil.copy(CONSUMER / file, app)
    config = app / f"tsconfig.{compiler}.{file}.json"
    config.write_text(json.dumps({"compilerOptions": options, "files": [file]}))

    package.run("node", MODULES / compiler / "bin" / "tsc", "-p", config, cwd=app)
