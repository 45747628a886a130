#!/usr/bin/env python3
"""Turns a folder of built web pages into sources that carry them inside a program.

    embed_assets.py --out BUILD_FOLDER [DIST_FOLDER]

Writes BUILD_FOLDER/gzip/* (each file, gzipped), assets_data.S (their bytes, by .incbin) and
assets.cc (the table that web/assets.h declares). Without DIST_FOLDER the table is empty. The same
input gives the same bytes: no times, no names of the machine, sorted by path.
"""

import argparse
import gzip
import hashlib
import pathlib
import shutil

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

DATA_HEAD = """\
    .section .rodata
"""

DATA_ENTRY = """\
    .balign 16
    .global muster_web_asset_{i}_begin
    .global muster_web_asset_{i}_end
muster_web_asset_{i}_begin:
    .incbin {file}
muster_web_asset_{i}_end:
"""

# Without this note the linker would ask for an executable stack.
DATA_TAIL = """\
    .section .note.GNU-stack, "", %progbits
"""

TABLE = """\
#include "web/assets.h"

#include <array>

{externs}
namespace muster::web {{

std::span<const Asset> assets() noexcept {{
    static const std::array<Asset, {count}> table{{{{{entries}
    }}}};
    return table;
}}

}}  // namespace muster::web
"""

EMPTY_TABLE = """\
#include "web/assets.h"

namespace muster::web {

std::span<const Asset> assets() noexcept { return {}; }

}  // namespace muster::web
"""


def quoted(text):
    """`text` as a literal of C++ and of the assembler."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    arguments.add_argument("dist", type=pathlib.Path, nargs="?")
    options = arguments.parse_args()

    zipped = options.out / "gzip"
    shutil.rmtree(zipped, ignore_errors=True)
    zipped.mkdir(parents=True)

    data, externs, entries = DATA_HEAD, "", ""
    files = []
    if options.dist is not None:
        files = sorted(path for path in options.dist.rglob("*") if path.is_file())
        if not files:
            raise SystemExit(f"{options.dist} holds no file: did `npm run build` fail?")
    for i, path in enumerate(files):
        contents = path.read_bytes()
        target = zipped / f"{i}.gz"
        target.write_bytes(gzip.compress(contents, compresslevel=9, mtime=0))
        url = "/" + path.relative_to(options.dist).as_posix()
        content_type = CONTENT_TYPES.get(path.suffix, "application/octet-stream")
        etag = '"' + hashlib.sha256(contents).hexdigest()[:16] + '"'
        data += DATA_ENTRY.format(i=i, file=quoted(str(target.resolve())))
        externs += f'extern "C" const std::byte muster_web_asset_{i}_begin[];\n'
        externs += f'extern "C" const std::byte muster_web_asset_{i}_end[];\n'
        entries += "\n        Asset{" + f"{quoted(url)}, {quoted(content_type)}, {quoted(etag)},"
        entries += f"\n              muster_web_asset_{i}_begin, muster_web_asset_{i}_end}},"

    (options.out / "assets_data.S").write_text(data + DATA_TAIL)
    table = EMPTY_TABLE
    if files:
        table = TABLE.format(externs=externs, entries=entries, count=len(files))
    (options.out / "assets.cc").write_text(table)


if __name__ == "__main__":
    main()
