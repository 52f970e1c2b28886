"""axe-core, which looks for what assistive technologies stumble over, in a page of a browser test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
OURS = (".neo-magics", ".neo-accents")
needs_axe = pytest.mark.skipif(not SOURCE.is_file(), reason="no axe-core: npm ci, in labextension/")
_RUN = """async selectors => {
    const include = selectors.filter(one => document.querySelector(one)).map(one => [one]);
    if (!include.length) return ['nothing to look at'];
    const { violations } = await axe.run({ include }, { resultTypes: ['violations'] });
    return violations.flatMap(found => found.nodes.map(
        node => `${found.impact} ${found.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""


def findings(page: Any, *selectors: str) -> list[str]:
    """What axe-core objects to in our parts of the page, or in those that `selectors` name."""
    page.evaluate(SOURCE.read_text(encoding="utf-8") + ";0")
    found: list[str] = page.evaluate(_RUN, list(selectors or OURS))
    return found
