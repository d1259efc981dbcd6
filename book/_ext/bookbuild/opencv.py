"""OpenCV asks the system for a library that a small one lacks: what to do then, here and in a notebook.

Any of OpenCV's packages will do. The one named *headless* opens no windows, as no page does, and needs none
of it.
"""

import subprocess
import sys

PACKAGE = "opencv-python"
# What is imported as `cv2`: the first of these that is installed.
PACKAGES = (PACKAGE, f"{PACKAGE}-headless", "opencv-contrib-python", "opencv-contrib-python-headless")


def remedy(pip: str) -> str:
    """Say what to do; ``pip`` calls that of the interpreter that cannot load it."""
    return (
        "Install the system's libraries (on Debian and Ubuntu: `apt-get install libgl1 libglib2.0-0`), or "
        f"take the package that needs none: `{pip} uninstall --yes {PACKAGE}`, then "
        f"`{pip} install {PACKAGE}-headless`"
    )


def problem() -> str:
    """Say why OpenCV cannot be loaded here, and what to do; an empty text where it can."""
    told = subprocess.run([sys.executable, "-c", "import cv2"], capture_output=True, text=True)
    if not told.returncode:
        return ""
    said = told.stderr.strip().splitlines() or [f"it ended with {told.returncode}"]
    return f"OpenCV cannot be loaded ({said[-1]}). {remedy(f'{sys.executable} -m pip')}"
