"""Hook of MkDocs: pages that lie elsewhere in the repository, and notebooks, become pages of the manual."""

from __future__ import annotations

import json
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
# File of the repository -> page.
ELSEWHERE = {"data/DATASET.md": "dataset.md", "CONTRIBUTING.md": "contributing.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    for path, page in ELSEWHERE.items():
        text = (REPOSITORY / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, path)))
    for path in sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb")):
        page = f"notebooks/{path.stem}.md"
        files.remove(files.get_file_from_path(f"notebooks/{path.name}"))
        files.append(File.generated(config, page, content=notebook_text(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files outside `docs` lead to their pages."""
    for path, name in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{path}", f"]({name}")
    return markdown


def _relinked(text: str, path: str) -> str:
    """Links of a file elsewhere, as they are in `docs`."""
    back = "../" * path.count("/")
    return text.replace(f"]({back}docs/", "](")


def notebook_text(path: Path) -> str:
    """A notebook as Markdown: its text and its code, without outputs."""
    parts = [f"*This page is the notebook `docs/notebooks/{path.name}`, which a test runs.*"]
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    # The title first.
    parts[:2] = parts[1::-1]
    return "\n\n".join(parts) + "\n"
