#include "base/rare_list.h"

#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

TEST_CASE("a rare list holds what a vector holds, whatever is done to it") {
    CHECK(
        rc::check("push, erase and erase_if do the same to both", [](const std::vector<int>& ops) {
            RareList<int> list;
            std::vector<int> model;
            for (const int op : ops) {
                if (op >= 0 || model.empty()) {
                    list.push(op);
                    model.push_back(op);
                } else if (op % 2 == 0) {
                    const auto place = static_cast<std::size_t>(-(op + 1)) % model.size();
                    list.erase(list.begin() + place);
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(place));
                } else {
                    const auto is_small = [op](int item) { return item < -op; };
                    list.erase_if(is_small);
                    std::erase_if(model, is_small);
                }
                RC_ASSERT(std::vector<int>(list.begin(), list.end()) == model);
                RC_ASSERT(list.size() == model.size());
                RC_ASSERT(list.empty() == model.empty());
            }
            RC_ASSERT(list.take() == model);
            RC_ASSERT(list.empty());
        }));
}

TEST_CASE("a rare list is one pointer") { CHECK(sizeof(RareList<int>) == sizeof(void*)); }

TEST_CASE("a rare list that has been emptied keeps none of its items alive") {
    const auto item = std::make_shared<int>(1);
    RareList<std::shared_ptr<int>> list;
    list.push(item);
    list.erase(list.begin());
    list.push(item);
    list.erase_if([](const auto&) { return true; });
    list.push(item);
    (void)list.take();
    CHECK(item.use_count() == 1);
}

}  // namespace
}  // namespace muster
