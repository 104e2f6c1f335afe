"""Build the book: what `jupyter-book build --all -n -W --keep-going .` builds, pages in parallel.

Jupyter Book's command reads one page after another, and to read a page is to run its notebook. The
function behind the command takes a number of processes.

    python tools/build_book.py [FOLDER]    # with _config.yml and _toc.yml; default: this project
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from jupyter_book.sphinx import build_sphinx


def build(source: Path) -> int:
    """Build the book of folder `source` into its ``_build/html``.

    Returns
    -------
    int : 0, or 1 where a notebook failed, a reference is missing, or there is any other warning.
    """
    html = source / "_build" / "html"
    shutil.rmtree(source / "_build", ignore_errors=True)  # No page may stay from an earlier build.
    os.environ["TQDM_DISABLE"] = "1"  # a draft trains while it is built, and a bar is no result
    print(f"Building the book in {html}: every notebook is run.", flush=True)
    result = build_sphinx(
        source,
        html,
        path_config=source / "_config.yml",
        noconfig=True,
        confoverrides={
            "external_toc_path": str(source / "_toc.yml"),
            "latex_individualpages": False,
            # A failed notebook is then a warning, so still fatal, but the other pages are read too,
            # and its traceback is shown.
            "nb_execution_raise_on_error": False,
            "nb_execution_show_tb": True,
        },
        quiet=True,
        warningiserror=True,
        keep_going=True,
        jobs=os.cpu_count(),
    )
    if result != 0:
        print("The book is not in order: see the warnings and errors above.", file=sys.stderr)
        return 1
    print(f"The book is built. Open {(html / 'index.html').as_uri()}")
    return 0


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    sys.exit(build(folder.resolve()))
