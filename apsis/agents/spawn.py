"""How a program is started: in a session of its own, with three file descriptors and no signal ignored or blocked."""

import os
import signal
from collections.abc import Mapping
from typing import Final

# posix_spawn and not subprocess, which takes twice the CPU: it makes a pipe for the child's errors, and an object to
# wait on. posix_spawn does not close what the agent has open, but all of that closes itself: see `keep_to_ourselves`.

FREE_SIGNALS: Final = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def spawn(argv: tuple[str, ...], environment: Mapping[str, str], output: int) -> int:
    """Start a program that writes to the fd `output`; return its pid.

    A name without a slash is looked for in the `PATH` of `environment`. Raises OSError if it cannot be started, and
    ValueError or UnicodeError for text that the kernel cannot be told.
    """
    if "/" in argv[0]:
        return _spawn(argv[0], argv, environment, output)
    refused: OSError = FileNotFoundError()
    for directory in os.get_exec_path(environment):
        try:
            return _spawn(os.path.join(directory, argv[0]), argv, environment, output)  # noqa: PTH118 - as everybody looks
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            refused = error
    raise refused


def _spawn(path: str, argv: tuple[str, ...], environment: Mapping[str, str], output: int) -> int:
    return os.posix_spawn(
        path,
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=FREE_SIGNALS,
    )


def keep_to_ourselves() -> None:
    """Let no program inherit what this process was started with beyond its first three file descriptors."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are wanted
        if (fd := int(name)) > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                # The descriptor of the listing itself, which is gone by now.
                continue
