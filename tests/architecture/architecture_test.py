#!/usr/bin/env python3
"""Shows that architecture.py finds what it is there to find, on small trees made for it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import architecture  # noqa: E402

# A tree with one file in every room, and nothing wrong.
GOOD_TREE = {
    "src/base/result.h": "#include <string>\n",
    "src/base/check.h": "",
    "src/base/check.cc": '#include "base/check.h"\n\n#include <cstdlib>\n',
    "src/core/actor/messages.h": '#include "base/result.h"\n',
    "src/core/actor/outbox.h": '#include "core/actor/messages.h"\n',
    "src/core/wire/json.h": '#include <chrono>\n\n#include "base/result.h"\n',
    "src/core/queue/messages.h": '#include "core/actor/messages.h"\n#include "muster/wire.pb.h"\n',
    "src/core/queue/queue.h": '#include "core/actor/outbox.h"\n#include "core/queue/messages.h"\n',
    "src/core/queue/queue.cc": '#include "core/queue/queue.h"\n\n#include "core/wire/json.h"\n',
    "src/core/queue/queue_test.cc": '#include "core/queue/queue.h"\n\n#include <fstream>\n',
    "src/core/user/user.h": '#include "core/queue/messages.h"\n',
    "src/core/gateway/messages.h": "",
    "src/core/gateway/token.cc": '#include <openssl/hmac.h>\n#include "core/gateway/messages.h"\n',
    "src/core/client/machine.h": "",
    "src/shell/runtime/channel.h": "#include <atomic>\n#include <mutex>\n",
    "src/shell/net/socket.h": '#include <sys/socket.h>\n#include "shell/runtime/channel.h"\n',
    "src/shell/runtime/descriptor.h": "#include <unistd.h>\n",
    "src/shell/net/link.cc": '#include "core/queue/messages.h"\n#include "core/wire/json.h"\n',
    "src/shell/admin/admin.cc": '#include <boost/asio.hpp>\n#include "web/assets.h"\n',
    "src/app/roles/node.h": '#include "core/queue/queue.h"\n#include "base/result.h"\n',
    "src/app/main.cc": '#include "app/roles/node.h"\n#include "shell/net/socket.h"\n'
    '#include "cli/cli.h"\n#include "client/client.h"\n',
    "include/muster/muster.h": "#include <stddef.h>\n",
    "client/client.h": '#include "muster/muster.h"\n#include "core/client/machine.h"\n'
    '#include "core/wire/json.h"\n#include "shell/runtime/descriptor.h"\n',
    "cli/cli.h": '#include "client/client.h"\n',
    "sim/world.h": '#include "app/roles/node.h"\n#include "core/queue/queue.h"\n',
    "bench/load.cc": '#include <thread>\n#include "client/client.h"\n',
    "bench/limit/main.cc": "#include <sys/epoll.h>\n#include <atomic>\n",
    "examples/dice/dice.cc": '#include "muster/muster.h"\n#include "client/client.h"\n',
    "web/assets.h": "#include <span>\n",
    "tests/doctest_main.cc": "#include <doctest/doctest.h>\n",
}


def findings_in(files):
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        return architecture.check_tree(tree)[0]


def findings_with(path, text):
    """What is found in the good tree once `path` is added or replaced."""
    return findings_in({**GOOD_TREE, path: text})


class Arrows(unittest.TestCase):
    def refuses(self, path, include, words="must not include"):
        found = findings_with(path, f"\n#include {include}\n")
        self.assertEqual([(path, 2)], [(f.path, f.line) for f in found], found)
        self.assertIn(words, found[0].text)

    def accepts(self, path, include):
        self.assertEqual([], findings_with(path, f"#include {include}\n"))

    def test_the_good_tree_is_good(self):
        self.assertEqual([], findings_in(GOOD_TREE))

    def test_base_includes_only_base(self):
        self.refuses("src/base/new.h", '"core/actor/messages.h"')
        self.refuses("src/base/new.h", '"muster/wire.pb.h"')
        self.refuses("src/base/new.h", '"shell/runtime/channel.h"')

    def test_core_knows_of_its_neighbours_only_their_messages(self):
        self.refuses("src/core/user/new.h", '"core/queue/queue.h"')
        self.accepts("src/core/user/new.h", '"core/queue/messages.h"')
        self.refuses("src/core/actor/new.h", '"core/queue/queue.h"')

    def test_core_knows_nothing_of_the_shell_app_or_sim(self):
        for include in ("shell/net/socket.h", "app/roles/node.h", "sim/world.h", "web/assets.h"):
            self.refuses("src/core/queue/new.h", f'"{include}"')

    def test_tests_of_the_core_are_held_to_the_same_arrows(self):
        self.refuses("src/core/user/user_test.cc", '"core/queue/queue.h"')

    def test_shell_knows_only_the_messages_of_the_core(self):
        self.refuses("src/shell/net/new.h", '"core/queue/queue.h"')
        self.refuses("src/shell/net/new.h", '"core/actor/outbox.h"')
        self.refuses("src/shell/net/new.h", '"app/roles/node.h"')
        self.accepts("src/shell/net/new.h", '"core/actor/messages.h"')
        self.accepts("src/shell/store/new.h", '"shell/net/socket.h"')

    def test_roles_are_for_sim_too_so_they_know_no_shell(self):
        self.refuses("src/app/roles/new.h", '"shell/net/socket.h"')

    def test_sim_knows_no_real_shell(self):
        self.refuses("sim/new.h", '"shell/net/socket.h"')
        self.refuses("sim/new.h", '"client/client.h"')

    def test_client_knows_its_own_part_of_the_core(self):
        self.refuses("client/new.h", '"core/queue/queue.h"')
        self.refuses("client/new.h", '"core/queue/messages.h"')
        self.refuses("client/new.h", '"shell/admin/admin.cc"')

    def test_public_headers_stand_alone(self):
        self.refuses("include/muster/new.h", '"base/result.h"')

    def test_the_bare_server_borrows_nothing(self):
        self.refuses("bench/limit/main.cc", '"base/result.h"')

    def test_examples_use_what_users_have(self):
        self.refuses("examples/dice/dice.cc", '"core/wire/json.h"')

    def test_nobody_includes_app(self):
        self.refuses("cli/new.h", '"app/roles/node.h"')
        self.refuses("client/new.h", '"app/roles/node.h"')

    def test_paths_are_written_from_the_root(self):
        self.refuses("src/core/queue/new.h", '"../queue/queue.h"', "relative")
        self.refuses("src/core/queue/new.h", '"queue.h"', "no file of the tree")
        self.refuses("src/core/queue/new.h", '"core/queue/missing.h"', "no file of the tree")

    def test_odd_spacing_hides_nothing(self):
        found = findings_with("src/base/new.h", '  #  include   "core/actor/outbox.h" // why?\n')
        self.assertEqual(1, len(found))

    def test_comments_are_no_includes(self):
        self.assertEqual([], findings_with("src/base/new.h", '// #include "core/actor/outbox.h"\n'))


class SystemHeaders(unittest.TestCase):
    def refuses(self, path, header):
        found = findings_with(path, f"#include <{header}>\n")
        self.assertTrue(found and all(f.path == path for f in found), (path, header, found))

    def accepts(self, path, header):
        self.assertEqual([], findings_with(path, f"#include <{header}>\n"))

    def test_core_and_base_have_no_sockets_files_threads_or_clock(self):
        for header in (
            "sys/socket.h", "netinet/in.h", "unistd.h", "fcntl.h", "poll.h", "time.h", "ctime",
            "thread", "fstream", "filesystem", "iostream", "random", "pthread.h",
            "boost/asio.hpp", "boost/asio/ip/tcp.hpp", "boost/beast/http.hpp", "sqlite3.h",
        ):  # fmt: skip
            self.refuses("src/core/queue/new.h", header)
            self.refuses("src/base/new.h", header)

    def test_core_may_use_what_is_pure(self):
        for header in ("chrono", "string", "charconv", "boost/json.hpp", "utf8proc.h"):
            self.accepts("src/core/wire/new.h", header)

    def test_only_the_gateway_checks_tokens(self):
        self.accepts("src/core/gateway/new.h", "openssl/evp.h")
        self.refuses("src/core/queue/new.h", "openssl/evp.h")

    def test_atomics_and_locks_live_in_the_runtime(self):
        for header in ("atomic", "mutex", "shared_mutex", "condition_variable", "semaphore"):
            self.accepts("src/shell/runtime/new.h", header)
            for path in ("src/shell/net/new.h", "src/core/queue/new.h", "src/base/new.h",
                         "src/app/new.h", "client/new.h", "sim/new.h", "cli/new.h"):
                self.refuses(path, header)

    def test_the_shell_may_use_the_system(self):
        self.accepts("src/shell/net/new.h", "sys/epoll.h")
        self.accepts("src/shell/admin/new.h", "boost/beast/http.hpp")


class Files(unittest.TestCase):
    def test_a_long_file_says_why(self):
        long = "\n" * 601
        self.assertEqual(1, len(findings_with("src/base/new.h", long)))
        self.assertEqual(1, len(findings_with("web/src/page.ts", long)))
        self.assertEqual([], findings_with("src/base/new.h", "\n" * 600))
        self.assertEqual([], findings_with("src/base/new.h", "// Long because: a table.\n" + long))
        self.assertEqual(1, len(findings_with("src/base/new.h", "// Long because: \n" + long)))
        self.assertEqual(1, len(findings_with("src/base/new.h", long + "// Long because: late.\n")))

    def test_a_source_begins_with_its_own_header(self):
        late = '#include <vector>\n#include "core/queue/queue.h"\n'
        found = findings_with("src/core/queue/queue.cc", late)
        self.assertEqual([("src/core/queue/queue.cc", 1)], [(f.path, f.line) for f in found])
        self.assertEqual(1, len(findings_with("src/core/queue/queue.cc", "int x;\n")))

    def test_what_others_made_is_not_read(self):
        for folder in ("build/dev", "web/node_modules/x", "web/dist", "sdk/js/src/gen"):
            self.assertEqual([], findings_with(f"{folder}/x.h", '#include "../y.h"\n' * 700))


class Program(unittest.TestCase):
    def run_on(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                target = pathlib.Path(folder) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
            script = pathlib.Path(architecture.__file__)
            return subprocess.run(
                [sys.executable, str(script), folder], capture_output=True, text=True, check=False
            )

    def test_it_fails_and_names_file_line_and_rule(self):
        result = self.run_on({**GOOD_TREE, "src/base/new.h": '\n#include "core/wire/json.h"\n'})
        self.assertEqual(1, result.returncode)
        self.assertIn('src/base/new.h:2: base must not include "core/wire/json.h"', result.stdout)

    def test_it_passes_a_good_tree_and_refuses_an_empty_one(self):
        self.assertEqual(0, self.run_on(GOOD_TREE).returncode)
        self.assertEqual(1, self.run_on({}).returncode)


if __name__ == "__main__":
    unittest.main()
