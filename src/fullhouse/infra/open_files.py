"""How many files and connections a process may have open: as many as its system lets it ask for."""

import resource
from contextlib import suppress

OPEN_FILES_MAX = 1_048_576


def allow_many_files() -> int:
    """Raise this process's own limit as far as it may; return what it is. Where it may not, it stays as it was."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS says that there is no limit, and refuses more than the kernel has.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
