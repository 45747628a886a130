#include "muster/client.h"

#include <utility>

#include "client/client_core.h"

namespace muster {

namespace {

template <typename Function>
auto shared(Function handler) {
    return std::make_shared<const Function>(std::move(handler));
}

client::Request send_request(std::string_view mount, std::string_view data, Format format) {
    return client::Send{MountName{mount}, Payload{data, format}};
}

client::Request set_request(std::string_view mount, std::string_view key, Payload value,
                            std::optional<std::uint64_t> if_seq) {
    return client::Set{MountName{mount}, Key{key}, std::move(value), if_seq};
}

Cursor cursor_of(Position position) { return {Inc{position.inc}, position.seq}; }

}  // namespace

// ---- Queue ---------------------------------------------------------------------------------

const std::string& Queue::name() const noexcept { return *name_; }

RequestNumber Queue::join(Callback done) {
    return core_->submit(*name_, client::Join{}, std::move(done));
}
RequestNumber Queue::leave(Callback done) {
    return core_->submit(*name_, client::Leave{}, std::move(done));
}
RequestNumber Queue::listen(Callback done) {
    return core_->submit(*name_, client::Listen{}, std::move(done));
}
RequestNumber Queue::unlisten(Callback done) {
    return core_->submit(*name_, client::Unlisten{}, std::move(done));
}
RequestNumber Queue::join_since(Position since, Callback done) {
    return core_->submit(*name_, client::Join{cursor_of(since)}, std::move(done));
}
RequestNumber Queue::listen_since(Position since, Callback done) {
    return core_->submit(*name_, client::Listen{cursor_of(since)}, std::move(done));
}

RequestNumber Queue::send(std::string_view mount, std::string_view json, Callback done) {
    return core_->submit(*name_, send_request(mount, json, Format::json), std::move(done));
}
RequestNumber Queue::send_bytes(std::string_view mount, std::string_view bytes, Callback done) {
    return core_->submit(*name_, send_request(mount, bytes, Format::bytes), std::move(done));
}

RequestNumber Queue::set(std::string_view mount, std::string_view key, std::string_view json,
                         Callback done, std::optional<std::uint64_t> if_seq) {
    // No text is no value, but it must not become a deletion.
    const Payload value{json.empty() ? std::string_view{" "} : json};
    return core_->submit(*name_, set_request(mount, key, value, if_seq), std::move(done));
}
RequestNumber Queue::set_bytes(std::string_view mount, std::string_view key, std::string_view bytes,
                               Callback done, std::optional<std::uint64_t> if_seq) {
    return core_->submit(*name_, set_request(mount, key, Payload{bytes, Format::bytes}, if_seq),
                         std::move(done));
}
RequestNumber Queue::del(std::string_view mount, std::string_view key, Callback done,
                         std::optional<std::uint64_t> if_seq) {
    return core_->submit(*name_, set_request(mount, key, Payload{}, if_seq), std::move(done));
}

RequestNumber Queue::history(std::string_view mount, std::function<void(const HistoryPage&)> done,
                             std::optional<std::uint64_t> before) {
    return core_->history(*name_, client::History{MountName{mount}, before}, std::move(done));
}

void Queue::on_message(std::function<void(const Message&)> handler) {
    core_->handlers(*name_).message = shared(std::move(handler));
}
void Queue::on_state(std::function<void(const StateChange&)> handler) {
    core_->handlers(*name_).state = shared(std::move(handler));
}
void Queue::on_members(std::function<void(const MembersChange&)> handler) {
    core_->handlers(*name_).members = shared(std::move(handler));
}
void Queue::on_mount(std::function<void(const MountChange&)> handler) {
    core_->handlers(*name_).mount = shared(std::move(handler));
}
void Queue::on_joined(std::function<void(const Joined&)> handler) {
    core_->handlers(*name_).joined = shared(std::move(handler));
}
void Queue::on_reset(std::function<void(const Reset&)> handler) {
    core_->handlers(*name_).reset = shared(std::move(handler));
}
void Queue::on_gap(std::function<void(const Gap&)> handler) {
    core_->handlers(*name_).gap = shared(std::move(handler));
}
void Queue::on_stalled(std::function<void(bool)> handler) {
    core_->handlers(*name_).stalled = shared(std::move(handler));
}
void Queue::on_left(std::function<void(const Left&)> handler) {
    core_->handlers(*name_).left = shared(std::move(handler));
}

bool Queue::is_member() const { return core_->machine().is_member(*name_); }

Position Queue::position() const {
    const client::Mirror* mirror = core_->machine().find(*name_);
    return mirror == nullptr ? Position{} : Position{mirror->at().inc.value, mirror->at().seq};
}

std::optional<Value> Queue::get(std::string_view mount, std::string_view key) const {
    const client::Mirror* mirror = core_->machine().find(*name_);
    const auto* entry = mirror == nullptr ? nullptr : mirror->find(mount, key);
    if (entry == nullptr) {
        return std::nullopt;
    }
    return Value{.data = std::string{entry->value.bytes()},
                 .is_binary = entry->value.format() == Format::bytes,
                 .changed_at = entry->changed_at};
}

std::vector<std::string> Queue::keys(std::string_view mount) const {
    std::vector<std::string> names;
    const client::Mirror* mirror = core_->machine().find(*name_);
    if (mirror == nullptr) {
        return names;
    }
    const auto found = mirror->mounts().find(mount);
    if (found != mirror->mounts().end()) {
        for (const auto& [key, entry] : found->second.keys) {
            names.emplace_back(key.text());
        }
    }
    return names;
}

std::vector<std::string> Queue::members() const {
    std::vector<std::string> names;
    if (const client::Mirror* mirror = core_->machine().find(*name_)) {
        for (const auto& [user, info] : mirror->members()) {
            names.emplace_back(user.text());
        }
    }
    return names;
}

std::uint64_t Queue::member_count() const {
    const client::Mirror* mirror = core_->machine().find(*name_);
    return mirror == nullptr ? 0 : mirror->member_count();
}

// ---- Client --------------------------------------------------------------------------------

Client::Client(ClientOptions options)
    : core_(std::make_unique<detail::ClientCore>(std::move(options))) {}
Client::~Client() {
    if (core_ != nullptr) {
        core_->close();
    }
}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Queue Client::queue(std::string_view name) {
    return Queue{*core_, std::make_shared<const std::string>(name)};
}

std::size_t Client::poll(std::chrono::milliseconds timeout) { return core_->poll(timeout); }
void Client::close() { core_->close(); }
void Client::reconnect() { core_->reconnect(); }
void Client::give_up(RequestNumber request) { core_->give_up(request); }

void Client::on_status(std::function<void(const Status&)> handler) {
    core_->on_status = shared(std::move(handler));
}
void Client::on_mail(std::function<void(const Message&)> handler) {
    core_->on_mail = shared(std::move(handler));
}
void Client::on_any_joined(std::function<void(const Joined&)> handler) {
    core_->on_any_joined = shared(std::move(handler));
}

const Status& Client::status() const noexcept { return core_->status(); }
const std::string& Client::user() const noexcept { return core_->machine().user(); }
std::size_t Client::open_request_count() const noexcept { return core_->machine().waiting_count(); }

}  // namespace muster
