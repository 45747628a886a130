#include "core/wire/http_head.h"

#include <algorithm>

namespace muster::wire {
namespace {

constexpr std::size_t first_line_bytes_read_max = 8192;

// What a byte may be part of.
enum ByteClass : std::uint8_t {
    in_token = 1,       // method, header name
    in_target = 2,      // visible ASCII but `#`, which no client sends
    in_first_line = 4,  // visible ASCII and space
    in_value = 8,       // all but control characters; with tab
    in_host = 16,
};

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        const bool is_visible = byte > 0x20 && byte < 0x7f;
        const char c = static_cast<char>(byte);
        const bool is_alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const auto is_one_of = [&](std::string_view set) {
            return is_visible && set.find(c) != std::string_view::npos;
        };
        unsigned bits = 0;
        const auto mark = [&bits](ByteClass of, bool belongs) {
            bits |= belongs ? unsigned{of} : 0U;
        };
        mark(in_token, is_alphanumeric || is_one_of("!#$%&'*+-.^_`|~"));
        mark(in_target, is_visible && c != '#');
        mark(in_first_line, is_visible || c == ' ');
        mark(in_value, (byte >= 0x20 && byte != 0x7f) || c == '\t');
        mark(in_host, is_alphanumeric || is_one_of("-._~:[]%"));
        classes[byte] = static_cast<std::uint8_t>(bits);
    }
    return classes;
}

constexpr std::array<std::uint8_t, 256> classes = make_classes();

bool is(ByteClass wanted, char c) noexcept {
    return (classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

bool consists_of(ByteClass wanted, std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [wanted](char c) { return is(wanted, c); });
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string_view without_blanks_around(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

tl::unexpected<HttpRefusal> refuse(std::uint16_t status, std::string_view why) noexcept {
    return tl::unexpected<HttpRefusal>(HttpRefusal{status, why});
}

// Returns the minor version of `HTTP/1.0` and `HTTP/1.1`.
HttpResult<std::uint8_t> parse_version(std::string_view text) noexcept {
    const bool is_version = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) &&
                            text[6] == '.' && is_digit(text[7]);
    if (!is_version) {
        return refuse(400, "the request line does not end in an HTTP version");
    }
    if (text[5] != '1' || text[7] > '1') {
        return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    return static_cast<std::uint8_t>(text[7] - '0');
}

HttpResult<void> read_first_line(std::string_view line, RequestHead& head) noexcept {
    if (line.size() > request_line_bytes_max) {
        return refuse(431, "the request line is longer than 4 KiB");
    }
    const std::size_t method_end = line.find(' ');
    if (method_end == std::string_view::npos) {
        return refuse(400, "the request line has no target");
    }
    const std::size_t target_end = line.find(' ', method_end + 1);
    if (target_end == std::string_view::npos) {
        return refuse(400, "the request line has no HTTP version");  // HTTP/0.9 among them.
    }
    head.method = line.substr(0, method_end);
    head.target = line.substr(method_end + 1, target_end - method_end - 1);
    if (head.method.empty() || !consists_of(in_token, head.method)) {
        return refuse(400, "the method is not a token");
    }
    // The version goes before the target's form: `PRI * HTTP/2.0` is a newer protocol, not an
    // error.
    const auto version = parse_version(line.substr(target_end + 1));
    if (!version) {
        return tl::unexpected<HttpRefusal>(version.error());
    }
    head.minor_version = *version;
    const bool is_asterisk = head.target == "*" && head.method == "OPTIONS";
    if (!is_asterisk && (!head.target.starts_with('/') || !consists_of(in_target, head.target))) {
        return refuse(400, "the target is not a path");
    }
    return {};
}

HttpResult<void> read_first_line(std::string_view line, ResponseHead& head) noexcept {
    const auto version = parse_version(line.substr(0, 8));
    if (!version) {
        return tl::unexpected<HttpRefusal>(version.error());
    }
    head.minor_version = *version;
    const std::string_view rest = line.substr(8);
    const bool is_status = rest.size() >= 4 && rest[0] == ' ' && rest[1] >= '1' && rest[1] <= '9' &&
                           is_digit(rest[2]) && is_digit(rest[3]) &&
                           (rest.size() == 4 || rest[4] == ' ');
    if (!is_status) {
        return refuse(400, "the status line has no status");
    }
    head.status =
        static_cast<std::uint16_t>((rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0'));
    return {};
}

HttpResult<HeaderField> parse_header(std::string_view line) noexcept {
    if (is_blank(line.front())) {
        return refuse(400, "a header line begins with white space");  // obs-fold
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
        return refuse(400, "a header line has no colon");
    }
    const std::string_view name = line.substr(0, colon);
    if (name.empty() || !consists_of(in_token, name)) {
        return refuse(400, "a header name is not a token");
    }
    return HeaderField{name, without_blanks_around(line.substr(colon + 1))};
}

// Looks at the bytes that came since the last call and at each line that they complete. Returns the
// size of the head, 0 where its end has not come. Its verdict on a byte depends on what precedes
// that byte and on nothing else, so it does not matter how the bytes were cut.
template <typename Head>
HttpResult<std::size_t> scan_head(std::string_view bytes, HeadScan& scan) noexcept {
    for (std::size_t i = scan.scanned; i < bytes.size(); ++i) {
        const char c = bytes[i];
        const bool in_headers = scan.headers_start != 0;
        const bool after_return = i > scan.line_start && bytes[i - 1] == '\r';
        if (in_headers && i - scan.headers_start >= headers_bytes_max) {
            return refuse(431, "the headers are longer than 8 KiB");
        }
        if (after_return != (c == '\n')) {
            return refuse(400, "a line does not end in CR LF");
        }
        if (!after_return) {
            if (c == '\r') {
                continue;
            }
            if (!is(in_headers ? in_value : in_first_line, c)) {
                return refuse(400, "a byte that no head may hold");
            }
            if (!in_headers && i >= first_line_bytes_read_max) {
                return refuse(414, "the request line is longer than 8 KiB");
            }
            continue;
        }
        const std::string_view line = bytes.substr(scan.line_start, i - 1 - scan.line_start);
        scan.line_start = static_cast<std::uint16_t>(i + 1);
        if (!in_headers) {
            Head head;
            if (const auto read = read_first_line(line, head); !read) {
                return tl::unexpected<HttpRefusal>(read.error());
            }
            scan.headers_start = scan.line_start;
        } else if (line.empty()) {
            scan.scanned = scan.line_start;
            return i + 1;
        } else if (++scan.header_count > HeaderList::count_max) {
            return refuse(431, "there are more than 64 headers");
        } else if (const auto field = parse_header(line); !field) {
            return tl::unexpected<HttpRefusal>(field.error());
        }
    }
    scan.scanned = static_cast<std::uint16_t>(bytes.size());
    return std::size_t{0};
}

// Fills `head` from a whole head that scan_head has found to be good.
template <typename Head>
void read_lines(std::string_view bytes, Head& head) noexcept {
    head.headers.clear();
    bool is_first = true;
    for (;;) {
        const std::size_t end = bytes.find('\r');
        const std::string_view line = bytes.substr(0, end);
        if (is_first) {
            static_cast<void>(read_first_line(line, head));
        } else if (line.empty()) {
            return;
        } else {
            static_cast<void>(head.headers.add(*parse_header(line)));
        }
        is_first = false;
        bytes.remove_prefix(end + 2);
    }
}

HttpResult<void> read_body_framing(RequestHead& head) noexcept {
    const std::size_t lengths = head.headers.count("Content-Length");
    const std::size_t codings = head.headers.count("Transfer-Encoding");
    head.body = BodyFraming::none;
    head.content_length = 0;
    if (lengths + codings == 0) {
        return {};
    }
    if (lengths + codings > 1) {
        return refuse(400, "the length of the body is given twice");
    }
    if (codings == 1) {
        if (head.minor_version == 0) {
            return refuse(400, "HTTP/1.0 has no transfer codings");
        }
        if (!equals_ignoring_case(*head.headers.find("Transfer-Encoding"), "chunked")) {
            return refuse(501, "the only transfer coding is `chunked`");
        }
        head.body = BodyFraming::chunked;
        return {};
    }
    const auto length = parse_decimal(*head.headers.find("Content-Length"));
    if (!length) {
        return refuse(400, "Content-Length is not a number");
    }
    head.body = *length == 0 ? BodyFraming::none : BodyFraming::length;
    head.content_length = *length;
    return {};
}

HttpResult<void> check_host(const RequestHead& head) noexcept {
    const std::size_t hosts = head.headers.count("Host");
    if (hosts > 1 || (hosts == 0 && head.minor_version == 1)) {
        return refuse(400, "there is not exactly one Host");
    }
    if (hosts == 1 && !consists_of(in_host, *head.headers.find("Host"))) {
        return refuse(400, "Host is not a host");
    }
    return {};
}

HttpResult<void> read_expectation(RequestHead& head) noexcept {
    const auto expectation = head.headers.find("Expect");
    head.expects_continue = expectation.has_value() && head.minor_version == 1;
    if (head.expects_continue && !equals_ignoring_case(*expectation, "100-continue")) {
        return refuse(417, "the only expectation is `100-continue`");
    }
    return {};
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::uint64_t> parse_decimal(std::string_view digits) noexcept {
    if (digits.empty() || digits.size() > 19) {  // 10^19 - 1 still fits.
        return std::nullopt;
    }
    std::uint64_t number = 0;
    for (const char c : digits) {
        if (!is_digit(c)) {
            return std::nullopt;
        }
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string_view take_list_element(std::string_view& list) noexcept {
    const std::size_t comma = list.find(',');
    const std::string_view element = without_blanks_around(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    return element;
}

std::optional<std::string_view> HeaderList::find(std::string_view name) const noexcept {
    for (const HeaderField& field : all()) {
        if (equals_ignoring_case(field.name, name)) {
            return field.value;
        }
    }
    return std::nullopt;
}

std::size_t HeaderList::count(std::string_view name) const noexcept {
    std::size_t found = 0;
    for (const HeaderField& field : all()) {
        found += equals_ignoring_case(field.name, name) ? 1 : 0;
    }
    return found;
}

bool HeaderList::has_token(std::string_view name, std::string_view token) const noexcept {
    for (const HeaderField& field : all()) {
        if (!equals_ignoring_case(field.name, name)) {
            continue;
        }
        std::string_view list = field.value;
        while (!list.empty()) {
            if (equals_ignoring_case(take_list_element(list), token)) {
                return true;
            }
        }
    }
    return false;
}

bool HeaderList::add(HeaderField field) noexcept {
    if (count_ == count_max) {
        return false;
    }
    fields_[count_] = field;
    ++count_;
    return true;
}

HttpResult<std::size_t> parse_request_head(std::string_view bytes, HeadScan& scan,
                                           RequestHead& head) noexcept {
    const auto size = scan_head<RequestHead>(bytes, scan);
    if (!size || *size == 0) {
        return size;
    }
    read_lines(bytes.substr(0, *size), head);
    const auto is_good =
        read_body_framing(head).and_then([&] { return check_host(head); }).and_then([&] {
            return read_expectation(head);
        });
    if (!is_good) {
        return tl::unexpected<HttpRefusal>(is_good.error());
    }
    head.keep_alive = head.minor_version == 1 ? !head.headers.has_token("Connection", "close")
                                              : head.headers.has_token("Connection", "keep-alive");
    return size;
}

HttpResult<std::size_t> parse_response_head(std::string_view bytes, HeadScan& scan,
                                            ResponseHead& head) noexcept {
    const auto size = scan_head<ResponseHead>(bytes, scan);
    if (size && *size != 0) {
        read_lines(bytes.substr(0, *size), head);
    }
    return size;
}

}  // namespace muster::wire
