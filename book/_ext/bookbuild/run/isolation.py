"""Kernels that see nothing of the user's own settings: what a page shows depends on its key alone."""

import os
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

import dlbook

# What a kernel gets of the user's environment: where things lie, and the way to a GPU and into the network.
# All else was set for other work: it could change numbers, and no key knows it.
KEPT = (
    *("HOME", "LOGNAME", "PATH", "TMPDIR", "TORCH_HOME", "USER", "XDG_*"),
    *("*LD_*LIBRARY_PATH", "LD_PRELOAD", "NIX_LD"),
    *("CUDA_*", "HIP_*", "HSA_*", "ROCR_*"),
    *("*_CA_BUNDLE", "*_PROXY", "SSL_CERT_*"),
    *("DLBOOK_*", "GIT_CONFIG*"),
)
# They keep PyTorch from a processor's newer units, as on an ordinary laptop; a part of every page's key.
PROCESSOR = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
# What a user may name from where the build was started; a kernel starts elsewhere.
PATHS = (
    *("DLBOOK_DATA", "TORCH_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
    *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
)
# How figures look; a part of every page's key.
FIGURES = Path(__file__).with_name("matplotlibrc")
# The site's font is no font of the system, which matplotlib would find by itself.
FONT = """\
import font_source_serif_pro, pathlib, matplotlib.font_manager
for _font in pathlib.Path(font_source_serif_pro.font_directory).glob('*.otf'): \
matplotlib.font_manager.fontManager.addfont(_font)
del font_source_serif_pro, pathlib, matplotlib, _font"""
ARGUMENTS = [
    # A file beside a page is no module, and no warning is owed on a connection that only this machine sees.
    "--InteractiveShellApp.ignore_cwd=True",
    "--IPKernelApp.log_level=ERROR",
    # Each figure as pixels, which every reader can show, and as a drawing for the site.
    "--InlineBackend.figure_formats=png",
    "--InlineBackend.figure_formats=svg",
    f"--IPKernelApp.exec_lines={FONT}",
]


class OwnKernelManager(AsyncKernelManager):
    """Starts the interpreter that the build runs on, whatever kernels are installed on this machine.

    Build and kernel speak through sockets in a folder of their own. A port that Jupyter found free may be
    another program's before the kernel binds it, and then the kernel dies.
    """

    @default("kernel_spec_manager")
    def _own_kernel(self) -> KernelSpecManager:
        return KernelSpecManager(parent=self, kernel_dirs=[])

    @default("transport")
    def _own_transport(self) -> str:
        longest = zmq.IPC_PATH_MAX_LEN  # of the operating system, in bytes
        return "ipc" if len(os.fsencode(f"{self._sockets}-1")) <= longest else "tcp"

    @default("ip")
    def _own_place(self) -> str:
        return self._sockets if self.transport == "ipc" else "127.0.0.1"

    @cached_property
    def _sockets(self) -> str:
        self._folder = tempfile.TemporaryDirectory(prefix="dlbook-")  # there as long as this manager is
        return f"{self._folder.name}/kernel"


def variables(settings: Path) -> dict[str, str]:
    """Return the environment's variables for a kernel; it imports the `dlbook` that the build sees.

    Args:
        settings: an empty folder, for IPython's.
    """
    # Only where a page is executed: the build's other commands start without it. It makes its list of fonts
    # here: a kernel that has to wait for it would say so in the page.
    import matplotlib.font_manager

    kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
    return (
        kept
        | resolved(kept)
        | processor_limits()
        | {
            "PYTHONPATH": str(Path(dlbook.__file__).parents[1]),
            "PYTHONNOUSERSITE": "1",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "IPYTHONDIR": str(settings),
            "MATPLOTLIBRC": str(FIGURES),
            # With a folder of its own where the user's home cannot be written, there is nothing to warn of.
            "MPLCONFIGDIR": matplotlib.get_cachedir(),
            # Nor of what a processor lacks: PyTorch then computes otherwise (NNPACK's notice).
            "TORCH_CPP_LOG_LEVEL": "ERROR",
        }
    )


def processor_limits() -> dict[str, str]:
    """Return the variables by which the user imitates an older processor; usually none."""
    return {name: os.environ[name] for name in PROCESSOR if os.environ.get(name)}


def shared_settings() -> list[Path]:
    """Return IPython's settings for all users of this machine: kernels read them, and run some, always."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    folders = [Path(folder) for folder in (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS)]
    kinds = {".py", ".ipy", ".json"}
    return sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in kinds)


def _is_kept(name: str) -> bool:
    return any(fnmatchcase(name.upper(), pattern) for pattern in KEPT)  # proxies may be in small letters


def resolved(kept: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that name a place, with a path that is the same wherever a kernel starts."""
    return {name: str(Path(kept[name]).expanduser().absolute()) for name in PATHS if kept.get(name)}
