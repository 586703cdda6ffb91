"""Draws the pictures of the documents from their sources with Graphviz, for light and dark pages.

python docs/pictures/draw.py            write docs/images/*.svg
"""

from __future__ import annotations

import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
IMAGES = FOLDER.parent / "images"
# Graphviz knows one colour scheme; the reader's own decides between two.
STYLE = (
    "<style>text{fill:#17211f}path,polygon,polyline,ellipse{stroke:#175e54}"
    "polygon[fill=black],polygon[fill='#000000']{fill:#175e54}"
    "@media(prefers-color-scheme:dark){text{fill:#e8eeec}"
    "path,polygon,polyline,ellipse{stroke:#6cc7b6}polygon[fill=black]{fill:#6cc7b6}}</style>"
)


def drawn(source: Path) -> str:
    """One picture as SVG, without a background."""
    made = subprocess.run(
        ["dot", "-Tsvg", "-Gbgcolor=transparent", str(source)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    head, mark, rest = made.partition("<g id=")
    return f"{head[head.index('<svg') :]}{STYLE}\n{mark}{rest}"


if __name__ == "__main__":
    for source in sorted(FOLDER.glob("*.dot")):
        target = IMAGES / f"{source.stem}.svg"
        target.write_text(drawn(source), encoding="utf-8")
        print(target.relative_to(FOLDER.parent.parent))
