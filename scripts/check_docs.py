"""Check the documents: every relative link leads somewhere, every ADR is listed, no fragment is
misnamed."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
FRAGMENT = re.compile(
    r"^(\d+|\+[a-z0-9-]+)\.(added|changed|deprecated|removed|fixed|security)\.md$"
)


def documents() -> list[Path]:
    return [*HERE.glob("*.md"), *sorted((HERE / "docs").rglob("*.md"))]


def broken_links() -> list[str]:
    faults = []
    for page in documents():
        for target in LINK.findall(page.read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).exists():
                faults.append(f"{page.relative_to(HERE)}: link to {target}, which is not there")
    return faults


def unlisted_decisions() -> list[str]:
    index = (HERE / "docs/adr/README.md").read_text()
    pages = sorted((HERE / "docs/adr").glob("[0-9]*.md"))
    return [f"docs/adr/README.md does not list {p.name}" for p in pages if p.name not in index]


def misnamed_fragments() -> list[str]:
    names = [p.name for p in (HERE / "changes").glob("*.md") if p.name != "README.md"]
    return [
        f"changes/{name}: name it ISSUE.KIND.md, e.g. 12.added.md"
        for name in names
        if not FRAGMENT.match(name)
    ]


def main() -> int:
    faults = [*broken_links(), *unlisted_decisions(), *misnamed_fragments()]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
