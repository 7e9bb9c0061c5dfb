"""An app of the previous major versions: Next.js 15, React 18.3, Prisma 6, bullmq 5."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import package
from tests.support.next_app import run
from tests.support.node import NEXT
from tests.support.programs import CiSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREVIOUS = NEXT / "previous"
MODULES = PREVIOUS / "node_modules"
PROGRAMS = MODULES / ".bin"
PACKAGES = dict.fromkeys(("next", "react", "react-dom", "bullmq", "@prisma/client", "prisma"), "*")
TSCONFIG = {
    "strict": True,
    "noEmit": True,
    "skipLibCheck": True,
    "target": "ES2017",
    "lib": ["dom", "dom.iterable", "esnext"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "jsx": "preserve",
    "esModuleInterop": True,
    "isolatedModules": True,
    "incremental": True,
    "plugins": [{"name": "next"}],
    "paths": {"@/*": ["./*"]},
}
FILES = {
    "tsconfig.json": json.dumps({"compilerOptions": TSCONFIG, "include": ["**/*.ts", "**/*.tsx"]}),
    "next.config.ts": 'export default { eslint: { ignoreDuringBuilds: true }, outputFileTracingRoot: "." };\n',
    "app/layout.tsx": "export default ({ children }: { children: React.ReactNode }) => (\n"
    "  <html><body>{children}</body></html>\n);\n",
    "app/page.tsx": 'import { NotifyMe } from "@/components/notify-me";\n\n'
    "export default function Home() {\n  return <NotifyMe />;\n}\n",
    "prisma/schema.prisma": 'generator client {\n  provider = "prisma-client-js"\n}\n\n'
    'datasource db {\n  provider = "sqlite"\n  url = env("DATABASE_URL")\n}\n',
}
# `prisma generate` copies an engine, which would have to be downloaded; no test starts it.
NO_DOWNLOAD = {"PRISMA_QUERY_ENGINE_LIBRARY": sys.executable, "PRISMA_SCHEMA_ENGINE_BINARY": sys.executable}


@contextmanager
def previous_app(tarball: Path, files: Mapping[str, str], **packages: str) -> Iterator[Path]:
    """An app with these files and packages besides, below the folder that has its packages; `init` did not run."""
    if not PROGRAMS.is_dir():
        missing = f"{PREVIOUS} is not installed; `make matrix` does it"
        pytest.fail(missing) if CiSettings().ci else pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix="app-", dir=PREVIOUS) as name:
        folder = Path(name)
        manifest = {"package.json": json.dumps({"dependencies": PACKAGES | packages})}
        for path, text in (FILES | manifest | dict(files)).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        package.install(tarball, folder)
        yield folder


async def init(app: Path) -> str:
    """Run `init` with all parts, and generate Prisma's client; returns what `init` said."""
    program = app / "node_modules" / "pushmill" / "dist" / "esm" / "cli" / "main.js"
    program.chmod(0o755)
    said = await run(app, str(program), "init", "--yes", "--all")
    await run(app, str(PROGRAMS / "prisma"), "generate", **NO_DOWNLOAD)
    return said
