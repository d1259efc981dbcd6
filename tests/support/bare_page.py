"""A page with one playground and nothing else, under the site's policy."""

import gzip
import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bookbuild.loopback import served
from bookbuild.render.playgrounds import Playground, copy_scripts

# What the site's pages are served under, and nothing is loosened for a playground.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'"
)
ROOT = Path(__file__).parents[2]


@dataclass
class BarePage:
    """A page with one playground and nothing else, and a site around it; for scripts that no page has yet.

    Attributes:
        folder: an empty one, for the site.
    """

    folder: Path
    pages_folder: Path = ROOT / "book"

    def write(self, name: str, tensors: Mapping[str, object] | None = None) -> Playground:
        """Write the page, with the present scripts.

        Args:
            name: of the playground.
            tensors: what its page would save; None where it saves nothing.
        """
        from safetensors.torch import save

        copy_scripts(self.pages_folder, self.folder / "scripts")
        about = Playground("index", name, f"scripts/{name}.js")
        attributes = f'data-script="{about.script}"'
        if tensors is not None:
            packed = gzip.compress(save(dict(tensors)), 9, mtime=0)  # type: ignore[arg-type]
            (self.folder / "data.tensors").write_bytes(packed)
            digest = hashlib.sha256(packed).hexdigest()
            about = Playground("index", name, about.script, "data.tensors", len(packed), digest)
            attributes += f' data-data="data.tensors" data-length="{len(packed)}" data-checksum="{digest}"'
        (self.folder / "index.html").write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>A playground</title>'
            '<meta name="viewport" content="width=device-width">'
            '<link rel="icon" href="data:,"><link rel="stylesheet" href="scripts/playgrounds.css">'
            f'<script type="module" src="{about.script}"></script><body>'
            f'<{name} id="{name}" class="playground" {attributes}>'
            f'<div class="fallback"><p>The fallback.</p></div></{name}></body></html>'
        )
        return about

    def serve(self) -> AbstractContextManager[str]:
        """Serve the folder under the site's policy; the context is the address."""
        return served(self.folder, {"Content-Security-Policy": POLICY})
