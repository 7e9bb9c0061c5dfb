"""axe-core, which looks for faults in accessibility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.node import KITS, require

if TYPE_CHECKING:
    from playwright.async_api import Page

AXE = """async () => (await axe.run()).violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.html)])"""


async def violations(page: Page) -> Any:
    """The rules that the page breaks, and where."""
    require("bullmq6")
    await page.evaluate((KITS["bullmq6"] / "node_modules" / "axe-core" / "axe.min.js").read_text())
    return await page.evaluate(AXE)
