#!/usr/bin/env python3
"""Holds every #include of the tree against the arrows of the house (ARCHITECTURE.md).

    architecture.py [TREE]        prints what is wrong and exits with 1, or says how much it read

The tables below are the rules; the code under them only reads files. A rule that has to give way
is changed here, in the same commit, with its reason.
"""

import collections
import pathlib
import re
import sys

# --- The rooms of the house ----------------------------------------------------------------------

# A file is in the first room whose pattern matches its path from the top of the tree.
ROOMS = [
    ("base", r"src/base/"),
    ("core/{}", r"src/core/([^/]+)/"),
    ("shell/{}", r"src/shell/([^/]+)/"),
    ("app/roles", r"src/app/roles/"),
    ("app", r"src/app/"),
    ("include", r"include/"),
    ("client", r"client/"),
    ("cli", r"cli/"),
    ("sim", r"sim/"),
    ("bench/limit", r"bench/limit/"),
    ("bench", r"bench/"),
    ("web", r"web/"),
    ("examples", r"examples/"),
    ("tests", r"tests/"),
]

# What a room may include besides its own files. These are patterns for the included file's path
# from the top of the tree; generated protobuf headers stand under "proto/".
MESSAGES = r"src/core/[^/]+/messages\.h"
ANY_CORE = r"src/core/"
BASE_AND_PROTO = [r"src/base/", r"proto/"]
# What touches the operating system but knows nothing of servers; clients use it, too.
DESCRIPTORS = r"src/shell/runtime/(descriptor|entropy)\.h"

MAY_INCLUDE = {
    "base": [],
    "core/{}": BASE_AND_PROTO + [r"src/core/actor/", r"src/core/wire/", MESSAGES],
    "shell/{}": BASE_AND_PROTO + [r"src/core/wire/", MESSAGES, r"src/shell/", r"web/assets\.h"],
    # The roles put machines together; app runs them over the real shell, sim over a simulated one.
    "app/roles": BASE_AND_PROTO + [ANY_CORE],
    "app": [r"src/", r"proto/", r"client/", r"cli/", r"bench/", r"include/", r"web/assets\.h"],
    "include": [],
    "client": BASE_AND_PROTO
    + [r"include/", r"src/core/(client|wire)/", DESCRIPTORS],
    "cli": BASE_AND_PROTO
    + [r"include/", r"client/", r"src/core/wire/", DESCRIPTORS],
    "sim": BASE_AND_PROTO + [ANY_CORE, r"src/app/roles/"],
    "bench/limit": [],  # A bare server without features must not borrow ours.
    "bench": BASE_AND_PROTO + [r"include/", ANY_CORE, r"client/", r"src/shell/"],
    "web": [],
    "examples": [r"include/", r"client/"],
    "tests": [r""],
}

# --- What stays outside --------------------------------------------------------------------------

LOCKS = (
    r"(atomic|mutex|shared_mutex|condition_variable|semaphore|latch|barrier|future|stop_token"
    r"|stdatomic\.h|pthread\.h|threads\.h)$"
)
OUTSIDE = (
    r"(sys|arpa|net|netinet|linux|asm)/"
    r"|(unistd|fcntl|poll|netdb|signal|sched|dlfcn|time|termios)\.h$"
    r"|(thread|fstream|filesystem|iostream|syncstream|csignal|ctime|random)$"
    r"|boost/(asio|beast)|sqlite3\.h$|libpq"
)

# (files, system headers, the reason, files that are excused)
FORBIDDEN_SYSTEM_HEADERS = [
    (
        r"src/(base|core)/",
        OUTSIDE,
        "the core has no sockets, files, threads, clock or chance of its own",
        # A test may read its samples from the tree.
        r"_(test|bench)\.cc$",
    ),
    (
        r"src/(base|core)/",
        r"(openssl)/",
        "in the core, only the gateway needs OpenSSL, for tokens",
        r"^src/core/gateway/",
    ),
    (
        r"(src|client|cli|sim)/",
        LOCKS,
        "atomics and locks live in shell/runtime; shards share nothing and speak through channels",
        # What is immutable may be shared: shared_text.h counts its holders, as std::shared_ptr does.
        r"^src/shell/runtime/|^src/shell/.*_(test|bench)\.cc$|^src/base/shared_text\.h$",
    ),
]

LINES_MAX = 600
LONG_BECAUSE = re.compile(r"^\s*(//|#) Long because: \S")
LONG_BECAUSE_LINES = 20  # It stands near the top.

SOURCE_SUFFIXES = {".cc", ".h"}
COUNTED_SUFFIXES = SOURCE_SUFFIXES | {".ts", ".tsx", ".py", ".cmake", ".proto", ".css"}
SKIPPED_FOLDERS = {".git", ".tools", "build", "dist", "gen", "generated", "node_modules"}
INCLUDE_ROOTS = ["src/", "include/", ""]

# --- Reading -------------------------------------------------------------------------------------

Finding = collections.namedtuple("Finding", "path line text")
Include = collections.namedtuple("Include", "line name quoted")

INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*(?:"([^"]*)"|<([^>]*)>)')


def room_of(path):
    """Returns (the room's own name, its key in MAY_INCLUDE), or None outside of the house."""
    for name, pattern in ROOMS:
        if match := re.match(pattern, path):
            return name.format(*match.groups()), name
    return None


def includes_of(text):
    """Returns the includes in `text`, in order. Those in a line comment do not count."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := INCLUDE_LINE.match(line):
            quoted = match.group(1) is not None
            found.append(Include(number, match.group(1) if quoted else match.group(2), quoted))
    return found


def resolve(name, files):
    """Returns the path of an included file from the top of the tree, or None if it is not ours."""
    if re.fullmatch(r"muster/[^/]+\.pb\.h", name):
        return "proto/" + name
    for root in INCLUDE_ROOTS:
        if root + name in files:
            return root + name
    return None


def check_arrow(path, include, files):
    """Returns what is wrong with one #include "..." of the file `path`, or None."""
    room = room_of(path)
    if ".." in include.name.split("/"):
        return f'"{include.name}": write the path from src/, not a relative one'
    target = resolve(include.name, files)
    if target is None:
        return f'"{include.name}" is no file of the tree: ours by path from src/, others in <>'
    if room is None:
        return None
    name, key = room
    if room_of(target) == room or any(re.match(allowed, target) for allowed in MAY_INCLUDE[key]):
        return None
    return f'{name} must not include "{include.name}"'


def check_system_header(path, include):
    """Returns what is wrong with one #include <...> of the file `path`, or None."""
    for files, headers, reason, excused in FORBIDDEN_SYSTEM_HEADERS:
        if re.match(files, path) and re.match(headers, include.name):
            if not re.search(excused, path):
                return f"<{include.name}>: {reason}"
    return None


def check_own_header_first(path, includes, files):
    """Returns a (line, text) if a .cc with a header of its own does not begin with it, or None."""
    own = path.removesuffix(".cc") + ".h"
    if not path.endswith(".cc") or own not in files:
        return None
    if includes and includes[0].quoted and resolve(includes[0].name, files) == own:
        return None
    return (includes[0].line if includes else 1), f'its own header "{own}" must be included first'


def check_length(lines):
    """Returns what is wrong with the length of a file, or None."""
    if len(lines) <= LINES_MAX or any(map(LONG_BECAUSE.match, lines[:LONG_BECAUSE_LINES])):
        return None
    return f'{len(lines)} lines: split it, or say "// Long because: ..." near the top'


def files_of(tree):
    """Returns the paths from the top of `tree` of all files that are counted."""
    found = []
    for path in tree.rglob("*"):
        parts = path.relative_to(tree).parts
        if path.suffix in COUNTED_SUFFIXES and not SKIPPED_FOLDERS.intersection(parts):
            if path.is_file():
                found.append("/".join(parts))
    return sorted(found)


def check_tree(tree):
    """Returns (all findings in the tree, how many files and includes were read)."""
    tree = pathlib.Path(tree)
    paths = files_of(tree)
    files = set(paths)
    findings = []
    include_count = 0
    for path in paths:
        text = (tree / path).read_text(encoding="utf-8")
        if wrong := check_length(text.splitlines()):
            findings.append(Finding(path, 1, wrong))
        if pathlib.PurePosixPath(path).suffix not in SOURCE_SUFFIXES:
            continue
        includes = includes_of(text)
        include_count += len(includes)
        for include in includes:
            if include.quoted:
                wrong = check_arrow(path, include, files)
            else:
                wrong = check_system_header(path, include)
            if wrong:
                findings.append(Finding(path, include.line, wrong))
        if late := check_own_header_first(path, includes, files):
            findings.append(Finding(path, *late))
    return findings, len(paths), include_count


def main():
    default = pathlib.Path(__file__).resolve().parents[2]
    tree = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    findings, file_count, include_count = check_tree(tree)
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.text}")
    print(f"{file_count} files, {include_count} includes, {len(findings)} wrong")
    if file_count == 0:
        print("nothing to check: is this the tree?")
    return 1 if findings or file_count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
