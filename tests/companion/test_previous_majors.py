"""The package in an app of the previous major versions: Next.js 15, React 18.3, Prisma 6, bullmq 5."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.support import package
from tests.support.next_app import address, run, running
from tests.support.node import NEXT
from tests.support.programs import CiSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.matrix, pytest.mark.slow]
PREVIOUS = NEXT / "previous"
PROGRAMS = PREVIOUS / "node_modules" / ".bin"
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
    "package.json": json.dumps(
        {"dependencies": dict.fromkeys(("next", "react", "react-dom", "bullmq", "@prisma/client", "prisma"), "*")}
    ),
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


@pytest.fixture
def app(tarball: Path) -> Iterator[Path]:
    """An app below the folder that has its packages."""
    if not PROGRAMS.is_dir():
        (pytest.fail if CiSettings().ci else pytest.skip)(f"{PREVIOUS} is not installed; `make matrix` does it")
    with tempfile.TemporaryDirectory(prefix="app-", dir=PREVIOUS) as name:
        folder = Path(name)
        for path, text in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        package.install(tarball, folder)
        yield folder


async def test_an_app_of_the_previous_majors(app: Path) -> None:
    """`init` fits it; it passes `tsc --strict`, builds without Redis, and its routes answer."""
    program = app / "node_modules" / "pushmill" / "dist" / "esm" / "cli" / "main.js"
    program.chmod(0o755)
    await run(app, str(program), "init", "--yes", "--all")
    await run(app, str(PROGRAMS / "prisma"), "generate", **NO_DOWNLOAD)

    said = await run(app, str(PROGRAMS / "next"), "build")

    assert "Next.js 15." in said
    assert {"/api/push/subscriptions", "/api/uploads", "/api/jobs/[queue]/[id]"} <= set(said.split())
    async with (
        running(app, str(PROGRAMS / "next"), "start", "--port", "0") as server,
        aiohttp.ClientSession(await address(server)) as browser,
    ):
        async with browser.get("/api/push/subscriptions") as response:
            assert 401 == response.status  # nobody has signed in
        async with browser.get("/") as page:
            assert 200 == page.status  # with the button, which a browser draws
