#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace muster::app {

/// Adds `bench` and its works to the command line; `chosen` is told what to do once one was named.
void add_bench_commands(CLI::App& app, std::function<void(std::function<int()>)> chosen);

}  // namespace muster::app
