"""What mkdocs adds when it builds the guide: the error texts, the API's rooms, and pages of the repository's root."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from error_texts import as_markdown, error_texts  # noqa: E402

ROOT_PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
NO_API = ("__pycache__", "templates", "static", "cli")  # rooms without an API of their own


def rooms() -> list[str]:
    """Folders of the package that have Python in them."""
    package = ROOT / "scangen_bundle"
    folders = [path.name for path in package.iterdir() if (path / "__init__.py").is_file()]
    return sorted(name for name in folders if name not in NO_API)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written elsewhere or made."""
    for name in ROOT_PAGES:
        files.append(_unlisted(config, name, without_links((ROOT / name).read_text("utf-8"))))
    for room in rooms():
        modules = sorted((ROOT / "scangen_bundle" / room).rglob("*.py"))
        names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules]
        public = [name for name in names if not name.rpartition(".")[2].startswith("_")]
        content = f"# scangen_bundle.{room}\n\n" + "".join(f"::: {name}\n\n" for name in public)
        files.append(_unlisted(config, f"api/{room}.md", content))
    return files


def _unlisted(config: MkDocsConfig, name: str, content: str) -> File:
    """A page that is reached by links, not by the list at the side."""
    from mkdocs.structure.files import InclusionLevel

    return File.generated(config, name, content=content, inclusion=InclusionLevel.NOT_IN_NAV)


def without_links(text: str) -> str:
    """The text without links into the repository, which the site does not have."""
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is made from the code, and turn links to the repository's root into links of the site."""
    if page.file.src_uri == "troubleshooting.md":
        markdown = markdown.replace("<!-- errors -->", as_markdown(error_texts()))
    if page.file.src_uri == "api.md":
        lines = [f"- [scangen_bundle.{room}](api/{room}.md)" for room in rooms()]
        markdown = markdown.replace("<!-- rooms -->", "\n".join(lines))
    for name in ROOT_PAGES:
        markdown = markdown.replace(f"](../{name}", f"]({name}")
    return markdown
