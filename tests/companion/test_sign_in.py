"""`lib/user-id.ts` as `init` writes it, with the real packages for sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest
from yarl import URL

from tests.support.next_app import address, run, running
from tests.support.node import node, use
from tests.support.previous_app import MODULES, PROGRAMS, init, previous_app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.matrix, pytest.mark.slow]
# The set-up of each package, as its own guide has it. Whoever gives a name is signed in with it.
NEXT_AUTH_5 = {
    "auth.ts": """import NextAuth from "next-auth";
import Credentials from "next-auth/providers/credentials";

export const { handlers, auth } = NextAuth({
  trustHost: true,
  providers: [Credentials({ credentials: { name: {} }, authorize: ({ name }) => ({ id: String(name) }) })],
  callbacks: {
    session({ session, token }) {
      session.user.id = token.sub ?? "";
      return session;
    },
  },
});
""",
    "app/api/auth/[...nextauth]/route.ts": """import { handlers } from "@/auth";

export const { GET, POST } = handlers;
""",
}
NEXT_AUTH_4 = {
    "lib/auth.ts": """import type { NextAuthOptions } from "next-auth";
import Credentials from "next-auth/providers/credentials";

export const authOptions: NextAuthOptions = {
  providers: [
    Credentials({
      credentials: { name: { type: "text" } },
      authorize: async (given) => (given?.name ? { id: given.name } : null),
    }),
  ],
  callbacks: { session: ({ session, token }) => ({ ...session, user: { ...session.user, id: token.sub } }) },
};
""",
    "app/api/auth/[...nextauth]/route.ts": """import NextAuth from "next-auth";
import { authOptions } from "@/lib/auth";

const handler = NextAuth(authOptions);
export { handler as GET, handler as POST };
""",
}
OTHERS = {
    "@clerk/nextjs": {},
    "better-auth": {
        "lib/auth.ts": """import { betterAuth } from "better-auth";

export const auth = betterAuth({ emailAndPassword: { enabled: true } });
"""
    },
    "iron-session": {
        "lib/session.ts": """import type { SessionOptions } from "iron-session";

export const sessionOptions: SessionOptions = { cookieName: "session", password: process.env.SECRET ?? "" };
"""
    },
}
SECRET = "a secret of this test alone, 32 bytes long"
IMAGE = {"fileId": "1", "filePath": "uploads/ann/1", "userId": "ann"}


@pytest.mark.parametrize(
    ("version", "files"), [("5.0.0-beta.32", NEXT_AUTH_5), ("4.24.15", NEXT_AUTH_4)], ids=["next-auth 5", "next-auth 4"]
)
async def test_a_job_is_shown_to_the_session_of_its_user_alone(
    tarball: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, version: str, files: dict[str, str]
) -> None:
    """The types fit, and the routes know who has signed in: ann sees her job, bob and a stranger do not."""
    use("bullmq5", monkeypatch)
    [job, *_] = await node(redis_url, ("add", "file-processing", "process-image", IMAGE))
    with previous_app(tarball, files, **{"next-auth": version}) as app:
        if version.startswith("4"):
            (app / "node_modules" / "next-auth").symlink_to(MODULES / "next-auth-4")
        said = await init(app)
        assert "By hand" in said
        assert "session.user.id = token.sub" in said
        await run(app, str(PROGRAMS / "next"), "build", REDIS_URL=redis_url)
        env = {"REDIS_URL": redis_url, "AUTH_SECRET": SECRET, "NEXTAUTH_SECRET": SECRET}
        async with running(app, str(PROGRAMS / "next"), "start", "--port", "0", **env) as server:
            site = await address(server)
            path = f"/api/jobs/file-processing/{job['id']}"

            shown = [await answer(site, path, name) for name in ("ann", "bob", None)]

    assert [200, 404, 401] == shown


async def answer(site: str, path: str, name: str | None) -> int:
    """The status that a path answers to who has signed in with this name, or not at all."""
    async with aiohttp.ClientSession(site, headers={"Accept": "application/json"}) as browser:
        if name is not None:
            async with browser.get("/api/auth/csrf") as response:
                token = (await response.json())["csrfToken"]
            form = {"csrfToken": token, "name": name, "json": "true"}
            async with browser.post("/api/auth/callback/credentials", data=form, allow_redirects=False) as response:
                assert response.status in {200, 302}, await response.text()
            assert any("session-token" in cookie for cookie in browser.cookie_jar.filter_cookies(URL(site)))
        async with browser.get(path) as response:
            return response.status


@pytest.mark.parametrize("package", OTHERS)
async def test_the_types_of_others_fit(tarball: Path, package: str) -> None:
    """What `init` writes passes `tsc --strict` beside the real package."""
    with previous_app(tarball, OTHERS[package], **{package: "*"}) as app:
        said = await init(app)

        assert "lib/user-id.ts: " not in said.split("By hand")[-1]
        assert (
            package in (app / "lib" / "user-id.ts").read_text() or "@/lib/auth" in (app / "lib/user-id.ts").read_text()
        )
        await run(app, str(PROGRAMS / "tsc"), "--noEmit")
