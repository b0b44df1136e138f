#include "cssd/runtime/file_changer.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include <pthread.h>

#include "cssd/runtime/control_requests.h"
#include "voting/offline/new_file.h"

namespace css::runtime {
namespace {

using nlohmann::json;

/// For the other members: to read the hint (three cycles), to open the file and to write it.
constexpr Duration kPatience = std::chrono::seconds{20};

}  // namespace

/// What outlives the FileChanger when a thread hangs.
struct FileChanger::Shared {
    explicit Shared(Parts given) : parts(std::move(given)) {}

    std::mutex mutex;
    std::condition_variable idle;
    bool busy = false;     ///< A thread runs.
    bool stopped = false;  ///< The parts below may be gone.
    Parts parts;
};

/// One change of the set.
class FileChanger::Job {
public:
    Job(std::shared_ptr<Shared> shared, FileChange change, ControlBackend::Answered done)
        : shared_(std::move(shared)), change_(std::move(change)), done_(std::move(done)) {}

    void run() {
        Status ready = look();
        for (std::size_t i = 0; ready && i < paths_.size(); ++i) {
            Result<voting::NewFile> file = voting::prepare_file(paths_[i], region_);
            if (file) {
                files_.push_back(*file);
            } else {
                ready = file.error();
            }
        }
        if (ready) {
            ready = submit();
        }
        if (!ready) {
            done_(refusal(ready.error().message));
        }
    }

private:
    /// A voting file of the set as it is.
    struct Member {
        FileIndex place;
        FileUid file;
        std::string path;
    };

    static Error refused(std::string why) { return Error{ErrorCode::kConflict, 0, std::move(why)}; }

    /// Runs `act` unless the daemon is being taken down.
    template <class Act>
    Status with_parts(Act&& act) {
        const std::lock_guard lock{shared_->mutex};
        if (shared_->stopped) {
            return refused("The daemon on this node stopped before the request was done.");
        }
        return act(shared_->parts);
    }

    Status look() {
        return with_parts([this](Parts& parts) -> Status {
            const std::optional<core::StatusView> status = parts.core.status();
            const std::optional<voting::Header> header = parts.files.found();
            if (!status || !header || status->phase != core::Phase::kMember) {
                return refused("This node is not an active member of the cluster.");
            }
            record_ = status->newest;
            if (!record_.files_next.empty()) {
                return refused("The voting files are being changed; try again.");
            }
            region_ = {*header, {}};
            for (const VotingFiles::Row& row : parts.files.rows(record_)) {
                members_.push_back({*row.last_index, *row.uid, row.path});
            }
            return choose();
        });
    }

    [[nodiscard]] std::optional<Member> member_named(const std::string& name) const {
        const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& m) {
            std::error_code ignored;
            return voting::to_hex(m.file.bytes) == name || m.path == name ||
                   (!m.path.empty() && std::filesystem::equivalent(m.path, name, ignored));
        });
        return found == members_.end() ? std::nullopt : std::optional{*found};
    }

    /// Which files stay, go and come.
    Status choose() {
        set_ = change_.replace ? FileSet{} : record_.files;
        for (const std::string& name : change_.remove) {
            const std::optional<Member> member = member_named(name);
            if (!member || !set_.contains(member->place)) {
                return refused(name + " is no voting file of this cluster: `crsctl query css " +
                               "votedisk` shows them.");
            }
            set_.erase(member->place);
        }
        for (const std::string& path : change_.add) {
            const std::optional<Member> member = member_named(path);
            if (member && !change_.replace) {
                return refused(path + " is a voting file of this cluster already.");
            }
            if (std::find(paths_.begin(), paths_.end(), path) != paths_.end() ||
                (member && set_.contains(member->place))) {
                return refused(path + " is given twice.");
            }
            if (path.size() > voting::kPathMax) {
                return refused(path + " is too long: give a path of at most " +
                               std::to_string(voting::kPathMax) + " characters.");
            }
            if (member) {
                set_.insert(member->place);
            } else {
                paths_.push_back(path);
            }
        }
        const std::size_t count = set_.count() + paths_.size();
        if (count % 2 == 0 || count > kFilesMax) {
            return refused("This would leave " + std::to_string(count) +
                           " voting files: their count must be odd, from 1 to 15, so that more "
                           "than half of them is clear. Nothing was changed.");
        }
        if (paths_.empty() && set_ == record_.files) {
            return refused("These are the voting files already.");
        }
        return Done{};
    }

    Status submit() {
        return with_parts([this](Parts& parts) -> Status {
            core::ChangeVotingFiles wanted;
            wanted.files = set_;
            wanted.patience = kPatience;
            voting::PathHints offer;
            for (std::size_t i = 0; i < paths_.size(); ++i) {
                const FileSet named = record_.files | wanted.files;
                const auto place = parts.files.place_for(files_[i].file, named);
                if (!place) {
                    return refused("There is no place left for " + paths_[i] + ".");
                }
                wanted.files.insert(*place);
                wanted.tags[*place] = voting::tag_of(files_[i].file);
                offer.at(place->index()) = {files_[i].file, paths_[i]};
            }
            parts.files.offer(offer);
            const std::uint64_t id = parts.requests.add(
                Requests::Ends::kByNotice,
                [answer = *this](core::RequestResult result) { answer.finish(result); });
            if (!parts.core.step(core::OperatorRequest{id, wanted})) {
                parts.requests.withdraw(id);
                return refused("This node is not an active member of the cluster.");
            }
            return Done{};
        });
    }

    void finish(core::RequestResult result) const {
        if (result == core::RequestResult::kFilesNotReady) {
            done_(refusal(why_not_ready()));
            return;
        }
        if (result != core::RequestResult::kDone) {
            done_(outcome(result));
            return;
        }
        json formatted = json::array();
        json removed = json::array();
        for (std::size_t i = 0; i < paths_.size(); ++i) {
            if (files_[i].formatted) {
                formatted.push_back(paths_[i]);
            }
        }
        for (const Member& member : members_) {
            if (!set_.contains(member.place)) {
                removed.push_back(member.path.empty() ? voting::to_hex(member.file.bytes)
                                                      : member.path);
            }
        }
        done_({{"ok", true}, {"formatted", formatted}, {"added", paths_}, {"removed", removed}});
    }

    /// Called from the thread that tells what the core did; the parts are there.
    [[nodiscard]] std::string why_not_ready() const {
        const std::string what = "Not every member of the cluster can use the new voting files";
        const std::optional<core::StatusView> status = shared_->parts.core.status();
        if (!status || !status->files_lack) {
            return what + ".";
        }
        const Names names = shared_->parts.names();
        return what + ": node " + names.node(status->files_lack->node) + " has not written " +
               names.file(status->files_lack->file) + "; is it there, by this path? Nothing was " +
               "changed.";
    }

    std::shared_ptr<Shared> shared_;
    FileChange change_;
    ControlBackend::Answered done_;
    Record record_;
    voting::HeaderRegion region_;
    std::vector<Member> members_;
    FileSet set_;                         ///< Those that stay.
    std::vector<std::string> paths_;      ///< Those that come.
    std::vector<voting::NewFile> files_;  ///< Likewise.
};

FileChanger::FileChanger(Parts parts) : shared_(std::make_shared<Shared>(std::move(parts))) {}

FileChanger::~FileChanger() {
    static_cast<void>(stop());
}

void FileChanger::change(const FileChange& change, ControlBackend::Answered done) {
    {
        const std::lock_guard lock{shared_->mutex};
        if (shared_->busy || shared_->stopped) {
            done(outcome(core::RequestResult::kBusy));
            return;
        }
        shared_->busy = true;
    }
    std::thread thread{[shared = shared_, job = Job{shared_, change, std::move(done)}]() mutable {
        static_cast<void>(::pthread_setname_np(::pthread_self(), "votedisk"));
        job.run();
        const std::lock_guard lock{shared->mutex};
        shared->busy = false;
        shared->idle.notify_all();
    }};
    thread.detach();
}

bool FileChanger::stop(std::chrono::milliseconds wait) {
    std::unique_lock lock{shared_->mutex};
    shared_->stopped = true;
    return shared_->idle.wait_for(lock, wait, [this] { return !shared_->busy; });
}

}  // namespace css::runtime
