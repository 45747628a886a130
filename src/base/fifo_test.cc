#include "base/fifo.h"

#include <deque>
#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

template <typename T>
std::vector<T> contents(const Fifo<T>& fifo) {
    return {fifo.begin(), fifo.end()};
}

TEST_CASE("a fifo gives back what was pushed, the oldest first") {
    // A push where the number is not negative, a pop where it is; long enough for the block to be
    // moved down while something is in it.
    CHECK(rc::check("as std::deque does", [] {
        const auto steps =
            *rc::gen::scale(20.0, rc::gen::container<std::vector<int>>(rc::gen::inRange(-90, 100)));
        Fifo<int> fifo;
        std::deque<int> model;
        for (const int step : steps) {
            if (step >= 0) {
                fifo.push(step);
                model.push_back(step);
            } else if (!model.empty()) {
                RC_ASSERT(fifo.pop() == model.front());
                model.pop_front();
            }
            RC_ASSERT(fifo.size() == model.size());
            RC_ASSERT(fifo.empty() == model.empty());
            if (!model.empty()) {
                RC_ASSERT(fifo.front() == model.front());
                RC_ASSERT(fifo.back() == model.back());
                RC_ASSERT(fifo[model.size() / 2] == model[model.size() / 2]);
            }
        }
        RC_ASSERT(contents(fifo) == std::vector<int>(model.begin(), model.end()));
    }));
}

TEST_CASE("an empty fifo is 32 bytes") { CHECK(sizeof(Fifo<int>) == 32); }

TEST_CASE("a fifo takes what can only be moved") {
    Fifo<std::unique_ptr<int>> fifo;
    for (int i = 0; i < 100; ++i) {
        fifo.push(std::make_unique<int>(i));
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(*fifo.pop() == i);
    }
    CHECK(fifo.empty());
}

TEST_CASE("items of a fifo can be changed where they stand") {
    Fifo<int> fifo;
    fifo.push(1);
    fifo.push(2);
    fifo.push(3);
    fifo.pop();
    fifo[0] = 20;
    fifo.back() = 30;
    CHECK(contents(fifo) == std::vector<int>{20, 30});
}

TEST_CASE("a fifo that never empties does not grow with what went through it") {
    Fifo<std::shared_ptr<int>> fifo;
    std::vector<std::weak_ptr<int>> all;
    for (int i = 0; i < 10000; ++i) {
        all.push_back(fifo.size() < 10 ? std::weak_ptr<int>{} : std::weak_ptr<int>{fifo.front()});
        fifo.push(std::make_shared<int>(i));
        if (fifo.size() > 10) {
            fifo.pop();
        }
    }
    std::size_t alive_count = 0;
    for (const auto& item : all) {
        alive_count += item.expired() ? 0 : 1;
    }
    CHECK(fifo.size() == 10);
    CHECK(alive_count <= 10);
    CHECK(&fifo.back() - &fifo.front() == 9);
}

TEST_CASE("a cleared fifo is empty and can be used again") {
    Fifo<int> fifo;
    for (int i = 0; i < 50; ++i) {
        fifo.push(i);
    }
    fifo.pop();
    fifo.clear();
    CHECK(fifo.empty());
    CHECK(contents(fifo).empty());
    fifo.push(7);
    CHECK(fifo.pop() == 7);
}

}  // namespace
}  // namespace muster
