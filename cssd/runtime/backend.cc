#include "cssd/runtime/backend.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <unistd.h>

#include "cssd/runtime/clock.h"

namespace css::runtime {
namespace {

/// These are done when the instance has ended, not when the core has taken them in.
Requests::Ends end_of(const ControlBackend::Request& request) {
    return std::holds_alternative<core::Leave>(request) ||
                   std::holds_alternative<core::StopClusterNodes>(request)
               ? Requests::Ends::kByLeaving
               : Requests::Ends::kByNotice;
}

std::string without_port(std::string address) {
    address.erase(address.rfind(':'));
    return address;
}

}  // namespace

Backend::Backend(Parts parts) : parts_(std::move(parts)) {
    standing_.standby = parts_.config.start_mode == config::StartMode::kDisabled;
    standing_.weight = parts_.config.weight;
}

Names Backend::names() const {
    Names names;
    names.self = parts_.network.self();
    const auto nodes = parts_.network.nodes();
    for (const NodeNumber n : nodes->configured()) {
        names.nodes[n] = nodes->at(n).name;
    }
    for (const VotingFiles::Row& row : parts_.files.rows()) {
        if (row.last_index) {
            names.files[*row.last_index] = row.path;
        }
    }
    names.trace_file = parts_.log.trace_file();
    return names;
}

/// Those of the newest record, in the order of their places; before there is one, all that are
/// configured.
std::vector<VotingFileRow> Backend::file_rows(const core::StatusView& status) const {
    const Record& record = status.newest;
    std::vector<VotingFileRow> rows;
    for (const VotingFiles::Row& row :
         record.files.empty() ? parts_.files.rows() : parts_.files.rows(record)) {
        VotingFileRow& shown = rows.emplace_back();
        shown.index = row.last_index.value_or(FileIndex::from_index(rows.size() - 1));
        shown.fuid = row.uid;
        shown.path = row.path;
        const bool joins = !record.files_next.empty() && !record.files.contains(shown.index);
        if (row.usable && !joins) {
            shown.state = status.files[shown.index].state;
        } else if (row.index) {
            shown.state = core::FileState::kPending;
        }
    }
    std::ranges::stable_sort(rows, {}, &VotingFileRow::index);
    return rows;
}

DaemonView Backend::view() {
    DaemonView view;
    view.now = When{boot_now(), std::chrono::system_clock::now()};
    view.names = names();
    const auto nodes = parts_.network.nodes();
    for (const NodeNumber n : nodes->configured()) {
        view.addresses[n] = without_port(netbeat::to_string(nodes->at(n).addresses.front()));
    }
    {
        const std::lock_guard lock{mutex_};
        view.fault = fault_.empty() ? stays_out_ : fault_;
        view.realtime_priority = realtime_priority_;
        view.watchdog_armed = !unwatched_;
        view.watchdog = unwatched_.value_or("");
        view.can_reset = can_reset_;
        view.status.self.node = parts_.network.self();
        view.status.standby = standing_.standby;
        view.status.weight = standing_.weight;
    }
    if (const auto status = parts_.core.status()) {
        view.status = *status;
    }
    view.cluster_name = parts_.config.cluster_name;
    if (const auto header = parts_.files.found()) {
        view.cluster_guid = header->cluster;
    }
    view.voting_files = file_rows(view.status);
    if (view.fault.empty()) {
        view.fault = parts_.files.fault();
    }
    view.fence_action = config::name_of(parts_.config.fence_action);
    view.log_level = parts_.log.level();
    view.log_lines_lost = parts_.log.dropped() + parts_.log.failed();
    view.last_eviction = parts_.story.last_eviction();
    view.pid = static_cast<std::uint32_t>(::getpid());
    return view;
}

std::vector<Event> Backend::history() {
    return parts_.story.events();
}

nlohmann::json Backend::groups() {
    return parts_.groups.view();
}

void Backend::submit(const Request& request, Completion done) {
    keep(request);
    // The answer may come before step() returns, so the id is known to `requests` first.
    auto shared = std::make_shared<Completion>(std::move(done));
    const std::uint64_t id = parts_.requests.add(
        end_of(request), [shared](core::RequestResult result) { (*shared)(result); });
    if (!parts_.core.step(core::OperatorRequest{id, request})) {
        parts_.requests.withdraw(id);
        submit_without_core(request, *shared);
    }
}

/// Also for instances to come.
void Backend::keep(const Request& request) {
    const std::lock_guard lock{mutex_};
    if (const auto* standby = std::get_if<core::SetStandby>(&request)) {
        standing_.standby = standby->standby;
        stays_out_.clear();
    } else if (const auto* weight = std::get_if<core::SetWeight>(&request)) {
        standing_.weight = weight->weight;
    }
}

void Backend::submit_without_core(const Request& request, const Completion& done) {
    std::visit(
        [this, &request, &done](const auto& what) {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, core::Leave>) {
                static_cast<void>(parts_.requests.add(end_of(request), done));
                parts_.leave_without_core();
            } else if constexpr (std::is_same_v<What, core::SetStandby> ||
                                 std::is_same_v<What, core::SetWeight>) {
                done(core::RequestResult::kDone);
            } else {
                done(core::RequestResult::kNotMember);
            }
        },
        request);
}

void Backend::change_voting_files(const FileChange& change, Answered done) {
    parts_.file_changer.change(change, std::move(done));
}

void Backend::reload_nodes(Answered done) {
    parts_.nodes_agreement.begin(std::move(done));
}

void Backend::replace_key(Answered done) {
    parts_.key_change.replace(std::move(done));
}

void Backend::set_log_level(config::LogLevel level) {
    parts_.log.set_level(level);
}

Status Backend::save_key(std::string_view key, std::string_view value) {
    return config::save_key(parts_.config.file, key, value);
}

Standing Backend::standing() const {
    const std::lock_guard lock{mutex_};
    return standing_;
}

void Backend::set_fault(std::string fault) {
    const std::lock_guard lock{mutex_};
    fault_ = std::move(fault);
}

void Backend::set_realtime_priority(unsigned in_force) {
    const std::lock_guard lock{mutex_};
    realtime_priority_ = in_force;
}

void Backend::stay_out(std::string why) {
    submit(core::SetStandby{true}, [](core::RequestResult) {});
    const std::lock_guard lock{mutex_};
    stays_out_ = std::move(why);
}

void Backend::set_watchdog(std::string why) {
    const std::lock_guard lock{mutex_};
    unwatched_ = why.empty() ? std::nullopt : std::optional{std::move(why)};
}

void Backend::set_can_reset(bool can_reset) {
    const std::lock_guard lock{mutex_};
    can_reset_ = can_reset;
}

}  // namespace css::runtime
