"""The types of the packed package, as an app's compiler sees them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.jobs.own_module import read_modules
from scripts import typescript_types
from tests.support import package
from tests.support.package import MODULES

if TYPE_CHECKING:
    from pathlib import Path as PathType

pytestmark = pytest.mark.matrix  # the apps of other tests compile with one TypeScript

CONSUMER = Path(__file__).parent / "consumer"
# Each TypeScript with each way to find modules, and each of these with both kinds of optional fields.
WAYS = [
    ("typescript-oldest", "node16", True),
    ("typescript-oldest", "bundler", False),
    ("typescript", "node16", False),
    ("typescript", "nodenext", True),
    ("typescript", "bundler", True),
    ("typescript-newest", "nodenext", False),
    ("typescript-newest", "bundler", False),
]
# Not every TypeScript takes the declarations of other packages; apps have `skipLibCheck`.
OF_OTHERS = re.compile(r"node_modules/(?!pushmill/)[^:]*\.d\.[cm]?ts\(")
OWN = [("typescript-oldest", "node16"), ("typescript", "bundler"), ("typescript-newest", "bundler")]
NEEDS = ("@types/node", "@types/react", "csstype", "react", "undici-types", "bullmq", "ioredis")


@pytest.fixture(scope="module")
def app(tarball: PathType, tmp_path_factory: pytest.TempPathFactory) -> PathType:
    """An app with the package in its `node_modules`."""
    folder = tmp_path_factory.mktemp("app")
    package.install(tarball, folder, *NEEDS)
    (folder / "package.json").write_text('{ "type": "module" }\n')
    return folder


def compile_files(app: PathType, compiler: str, resolution: str, *files: str, exact: bool) -> None:
    """Compile with `tsc --strict`; a fault of the files, or of the package's declarations, fails the test."""
    options: dict[str, Any] = {
        "target": "ES2022",
        "lib": ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
        "module": "esnext" if resolution == "bundler" else resolution,
        "moduleResolution": resolution,
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "exactOptionalPropertyTypes": exact,
        "isolatedModules": True,
        "skipLibCheck": False,
        "noEmit": True,
        "types": ["node"],
    }
    for file in files:
        shutil.copy(CONSUMER / file, app)
    config = app / f"tsconfig.{compiler}.{resolution}.{exact}.json"
    config.write_text(json.dumps({"compilerOptions": options, "files": files}))
    said = package.run("node", MODULES / compiler / "bin" / "tsc", "-p", config, cwd=app, may_fail=True)
    assert [] == [line for line in said.splitlines() if "error TS" in line and not OF_OTHERS.search(line)]


@pytest.mark.parametrize(("compiler", "resolution", "exact"), WAYS)
def test_an_app_compiles(app: PathType, compiler: str, resolution: str, *, exact: bool) -> None:
    """With each TypeScript, way to find modules, and kind of optional fields; what is wrong does not compile."""
    common = () if resolution == "bundler" else ("common.cts",)

    compile_files(app, compiler, resolution, "good.ts", "wrong.ts", *common, exact=exact)


@pytest.mark.parametrize(("compiler", "resolution"), OWN)
def test_a_teams_own_jobs_are_typed(
    tarball: PathType, tmp_path: PathType, monkeypatch: pytest.MonkeyPatch, compiler: str, resolution: str
) -> None:
    """By the file that the script prints. Its types may have the names of the package's own."""
    package.install(tarball, tmp_path, *NEEDS)
    (tmp_path / "package.json").write_text('{ "type": "module" }\n')
    monkeypatch.syspath_prepend(CONSUMER)
    (tmp_path / "jobs.ts").write_text(typescript_types.own_file(read_modules(["my_jobs"]), "my_jobs"))
    compile_files(tmp_path, compiler, resolution, "own.ts", exact=False)
