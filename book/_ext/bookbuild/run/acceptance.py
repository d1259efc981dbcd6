"""Which outputs may be kept: one rule for what a kernel has put out here and for what comes from elsewhere.

What is kept is shown by every later build. Kept, an output that fails the build would fail it for good.
"""

import nbformat

# Characters that a page may put out. More is a mistake, which the cache would carry from then on, which takes
# the build minutes to read, and which no browser could show.
LARGEST = 30_000_000


def objection(notebook: nbformat.NotebookNode) -> tuple[int, str] | None:
    """Return the index of the first cell whose outputs may not be kept, and why; None where all may be."""
    size = 0
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            size += output_size(output)
            if output.output_type == "error":
                return index, f"it shows an error: {output.ename}: {output.evalue}"
            if output.output_type == "stream" and output.name == "stderr":
                said = output.text.strip().splitlines()
                return index, f"it wrote to stderr: {' / '.join(said[:5])}"
            if size > LARGEST:
                return index, too_large()
    return None


def output_size(content: object) -> int:
    """Return how large an output is, in characters."""
    return len(str(content))


def too_large() -> str:
    """Say that a page puts out too much."""
    return f"the page puts out more than {LARGEST:,} characters: print less"
