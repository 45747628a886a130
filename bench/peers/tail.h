#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace muster::bench {

/// What a reader of a stream must keep of it: the tail that is not whole yet.
///
/// Cost: no copy while what is read lies whole in the input; else each byte is copied at most
/// twice.
class Tail {
public:
    /// Returns all that can be read now: the tail and `input`.
    [[nodiscard]] std::string_view with(std::span<char>& input) {
        if (part_.empty()) {
            return {input.data(), input.size()};
        }
        part_.append(input.data(), input.size());
        input = {};
        return std::string_view(part_).substr(taken_);
    }

    /// `bytes` of what with() returned have been read. They stay valid until the next with().
    void take(std::span<char>& input, std::size_t bytes) {
        if (part_.empty()) {
            input = input.subspan(bytes);
        } else {
            taken_ += bytes;
        }
    }

    /// The rest is not whole: it waits for more.
    void keep(std::span<char>& input) {
        if (part_.empty()) {
            part_.assign(input.data(), input.size());
            input = {};
        } else {
            part_.erase(0, taken_);
        }
        taken_ = 0;
        if (part_.empty()) {
            std::string().swap(part_);  // Ten thousand clients need not keep a buffer each.
        }
    }

private:
    std::string part_;
    std::size_t taken_ = 0;
};

}  // namespace muster::bench
