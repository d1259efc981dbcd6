"""The build's command line: ``python -m bookbuild COMMAND``; the Makefile calls it."""

import argparse
import logging
import sys
from pathlib import Path

from bookbuild.book import Book, BookError
from bookbuild.check import changes, notebooks, site
from bookbuild.promises import PromiseError
from bookbuild.run import exchange, liveness, plan, profile
from bookbuild.run.cache import ExecutionCache, locked
from bookbuild.run.execute import execute
from bookbuild.termination import terminable


def _plan(book: Book, chosen: argparse.Namespace) -> int:
    return plan.report(book)


def _execute(book: Book, chosen: argparse.Namespace) -> int:
    with locked(book.build):
        cache = ExecutionCache(book.cache_folder)
        cache.drop_damaged()
        execute(book, cache, is_rendered=False)
    return 0


def _merge(book: Book, chosen: argparse.Namespace) -> int:
    with locked(book.build):
        sources = [found for said in chosen.source for found in exchange.archives_below(said)]
        merged = [(source, exchange.merge_from(source, book, chosen.own)) for source in sources]
        if not chosen.source and (published := exchange.merge_published(book)):
            merged = [published]
    for source, counts in merged:
        print(f"{source}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    if not merged:
        print("no published outputs: what is not in the cache is executed")
    return 0


def _export(book: Book, chosen: argparse.Namespace) -> int:
    with locked(book.build):
        try:
            exchange.export(book, chosen.archive)
        except exchange.NoOutputs as none:
            if not chosen.if_any:
                raise
            print(none)
    return 0


def _prune(book: Book, chosen: argparse.Namespace) -> int:
    with locked(book.build):
        print(f"{liveness.prune(book)} executed pages forgotten")
    return 0


def _verify(book: Book, chosen: argparse.Namespace) -> int:
    return site.verify(book)


def _rehearse(book: Book, chosen: argparse.Namespace) -> int:
    kind = notebooks.Environment(chosen.untidy, chosen.oldest_torch)
    return notebooks.rehearse_all(book, chosen.notebook, kind)


def _profile(book: Book, chosen: argparse.Namespace) -> int:
    return profile.profile(book, chosen.page)


def _changes(book: Book, chosen: argparse.Namespace) -> int:
    return changes.report(book)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    top = argparse.ArgumentParser(prog="python -m bookbuild", description=__doc__)
    top.add_argument("--root", type=Path, default=Path(), help="the checkout; else the current folder")
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, function: object, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words)
        added.set_defaults(function=function)
        return added

    command("plan", _plan, "say which pages would be executed, for runners that execute a page each")
    command("execute", _execute, "execute the pages whose outputs are not in the cache")
    merging = command("merge", _merge, "add pages that other machines executed")
    merging.add_argument("source", nargs="*", help="folders, archives or addresses; else a published cache")
    merging.add_argument("--own", action="store_true", help="from machines of your own: leave all as it is")
    exporting = command("export", _export, "pack up the executed pages that a build could ask for")
    exporting.add_argument("archive", type=Path)
    exporting.add_argument("--if-any", action="store_true", help="where there are none, say so and pack none")
    command("prune", _prune, "forget executed pages that no build has asked for in a long time")
    command("verify", _verify, "say what is wrong with the built site")
    rehearsing = command("rehearse", _rehearse, "run the built notebooks where the book is not installed")
    rehearsing.add_argument("notebook", nargs="*", help="such as cnn/mnist-mlp; else all of them")
    rehearsing.add_argument("--untidy", action="store_true", help="where packages have broken metadata")
    rehearsing.add_argument("--oldest-torch", action="store_true", help="with the oldest that dlbook admits")
    profiling = command("profile", _profile, "execute a page, and say where its time and memory go")
    profiling.add_argument("page", help="such as cnn/mnist-mlp")
    command("changes", _changes, "say which pages the last commit changed, and which were executed anew")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 1 with a message where it cannot be done, or is stopped."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = parser().parse_args(arguments)
    try:
        with terminable():
            return chosen.function(Book.at(chosen.root), chosen)
    except (BookError, PromiseError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
