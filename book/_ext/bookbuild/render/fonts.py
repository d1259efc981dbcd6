"""The site's own type: a serif for text and a font for formulas, cut down to the characters of the pages.

Both are under the SIL Open Font License. It reserves the name Source for the unchanged font.
"""

import hashlib
import html
import logging
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import font_source_serif_pro
import ziamath
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

from bookbuild.render.assets import FONTS, MATH_FONT
from dlbook.data.files import draft

LICENSE = "OFL.txt"
SERIF = Path(font_source_serif_pro.font_directory)
SOURCES = {
    "serif": SERIF / "SourceSerifPro-Regular.otf",
    "serif-italic": SERIF / "SourceSerifPro-It.otf",
    "serif-bold": SERIF / "SourceSerifPro-Semibold.otf",
    MATH_FONT: Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf",
}
# Stands in each font, so that one is cut anew when this code has changed.
MARK = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
IDENTIFIER = 3  # of the name table: what tells a font from all others
NAME_IDS = (1, 4, 6, 16, 18, 21, 25)  # of the name table: where a font says what it is called
ROOT = "\N{SQUARE ROOT}"  # which a browser draws, and no page writes
ASCII = frozenset(map(chr, range(0x20, 0x7F)))
FORMULA = re.compile(r"<math\b.*?</math>", re.DOTALL)
TAG = re.compile(r"<(script|style|pre|code)\b.*?</\1>|<[^>]*>", re.DOTALL)


def write(app: Sphinx) -> None:
    """Write the fonts that the site's pages need; what is there already and has their characters stays."""
    text, formulas = characters(Path(app.outdir))
    folder = Path(app.outdir, FONTS)
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in SOURCES.items():
        path = folder / f"{name}.woff2"
        needed = formulas if name == MATH_FONT else text
        if not _is_ours(path) or not needed & _held(source) <= _held(path):
            _cut(source, needed, path, f"Book {name.title()}")
    (folder / LICENSE).write_text(license_text(), encoding="utf-8")


def characters(site: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Return the characters of the pages' text, and of their formulas."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    formulas = set(html.unescape(TAG.sub("", "".join(FORMULA.findall(pages)))))
    text = set(html.unescape(TAG.sub(" ", FORMULA.sub("", pages))))
    return ASCII | text, ASCII | formulas | _italics(ASCII | formulas) | {ROOT}


def _italics(characters: Iterable[str]) -> frozenset[str]:
    """Return what a browser shows for variables of one letter: the italic letters of mathematics."""
    letters = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0x1D434, 0x1D468)}
    letters |= {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0x1D6E2, 0x1D71C)}
    letters["h"] = "\N{PLANCK CONSTANT}"  # has its own place, and none among the other letters
    return frozenset(letters[character] for character in characters if character in letters)


def _is_ours(path: Path) -> bool:
    """Return whether there is a font, whole, and this code has cut it."""
    try:
        with TTFont(path, lazy=True) as font:
            return MARK in (font["name"].getDebugName(IDENTIFIER) or "")
    except Exception:  # there is none; or it is damaged, of which each of its parts tells in its own way
        return False


def _held(path: Path) -> frozenset[str]:
    with TTFont(path, lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


def _cut(source: Path, needed: frozenset[str], target: Path, name: str) -> None:
    """Write a font with these characters alone, packed for the web and under another name."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each table that it has cut
    options = Options(flavor="woff2", hinting=False, desubroutinize=False, notdef_outline=True)
    options.layout_features += ["ssty", "dtls", "flac"]  # small and flat forms, for what stands in formulas
    with TTFont(source) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(sorted(needed)))
        subsetter.subset(font)
        if "MATH" in font:
            _narrow_roots(font)
        for record in font["name"].names:
            if record.nameID in NAME_IDS:
                record.string = name.replace(" ", "") if record.nameID == 6 else name
            if record.nameID == IDENTIFIER:
                record.string = f"{name} {MARK}"
        if "CFF " in font:
            font["CFF "].cff.fontNames = [name.replace(" ", "")]
            top = font["CFF "].cff.topDictIndex[0]
            top.FullName = top.FamilyName = name
        font.flavor = "woff2"
        with draft(target) as written:
            font.save(written)


def _narrow_roots(font: TTFont) -> None:
    """Make the tall signs of the root as narrow as the low one.

    Behind every root, Chromium leaves the room that the widest of its signs would take.
    """
    root, variants = font.getBestCmap()[ord(ROOT)], font["MATH"].table.MathVariants
    taller = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(root)]
    names = {record.VariantGlyph for record in taller.MathGlyphVariantRecord}
    names |= {part.glyph for part in taller.GlyphAssembly.PartRecords}
    width, _ = font["hmtx"][root]
    for name in names - {root}:
        advance, bearing = font["hmtx"][name]
        glyph = font["glyf"][name]
        glyph.coordinates.scale((width / advance, 1))
        glyph.coordinates.toInt()
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][name] = width, round(bearing * width / advance)


def license_text() -> str:
    """Return the license with both fonts' copyright: it asks to stand beside them."""
    license = (SERIF / "LICENSE.txt").read_text(encoding="utf-8", errors="replace")
    with TTFont(SOURCES[MATH_FONT], lazy=True) as font:
        return f"{font['name'].getDebugName(0)}\n{license}"
