#include "tests/interaction/cluster.h"

#include <algorithm>
#include <utility>

namespace css::interaction {
namespace {

constexpr Duration kWrite = std::chrono::milliseconds{1};
constexpr Duration kRead = std::chrono::milliseconds{1};
constexpr Duration kNetwork = std::chrono::milliseconds{1};
constexpr Duration kGuardian = std::chrono::microseconds{100};

}  // namespace

Cluster::Cluster(const Options& options, OnNotice on_notice, OnFence on_fence)
    : options_(options), on_notice_(std::move(on_notice)), on_fence_(std::move(on_fence)) {
    core::HeaderOrder first;
    first.generation = 1;
    for (unsigned i = 0; i < options.files; ++i) {
        const FileIndex f = FileIndex::from_index(i);
        images_[f] = formatted();
        images_[f].tag = FileTag{++formatted_};
        first.files.insert(f);
        first.tags[f] = images_[f].tag;
    }
    first.in_use = first.files;
    for (const FileIndex f : first.files) {
        images_[f].header = first;
    }
}

Cluster::FileImage Cluster::formatted() const {
    SlotView empty;
    empty.heartbeat_verdict = SectorVerdict::kValid;
    empty.ballot_verdict = SectorVerdict::kValid;
    empty.kill_verdict = SectorVerdict::kValid;
    FileImage image;
    image.slots.assign(options_.nodes, empty);
    return image;
}

void Cluster::add_file(unsigned file, NodeSet nodes) {
    const FileIndex f = FileIndex::from_index(file);
    images_[f] = formatted();
    images_[f].tag = FileTag{++formatted_};
    for (const NodeNumber n : nodes) {
        open_file(n, f);
    }
}

void Cluster::open_file(NodeNumber n, FileIndex file) {
    step(n, core::FileOpened{file, images_[file].tag, images_[file].header.generation});
}

void Cluster::close_file(unsigned file) {
    for (unsigned n = 1; n <= options_.nodes; ++n) {
        step(NodeNumber{n}, core::FileClosed{FileIndex::from_index(file)});
    }
}

core::ChangeVotingFiles Cluster::change_to(const std::vector<unsigned>& files) const {
    core::ChangeVotingFiles change;
    for (const unsigned file : files) {
        const FileIndex f = FileIndex::from_index(file);
        change.files.insert(f);
        change.tags[f] = images_[f].tag;
    }
    change.patience = std::chrono::seconds{5};
    return change;
}

/// What a daemon finds that looks at every file.
const core::HeaderOrder& Cluster::newest_header() const {
    return std::max_element(images_.begin(),
                            images_.end(),
                            [](const FileImage& a, const FileImage& b) {
                                return a.header.generation < b.header.generation;
                            })
        ->header;
}

void Cluster::at(Instant when, std::function<void()> act) {
    events_.push(Event{when, ++order_, std::move(act)});
}

void Cluster::start(NodeNumber n) {
    core::ArbiterOptions o;
    o.self = n;
    o.configured = configured(n);
    o.slots_used = options_.nodes;
    o.slots_max = options_.nodes;
    o.genesis.parameters = options_.parameters;
    const core::HeaderOrder& header = newest_header();
    o.genesis.files = header.files;
    o.genesis.files_generation = header.generation;
    o.genesis.file_tags = header.tags;
    o.host = HostId{n.value()};
    o.boot = BootId{1};
    o.wall_seconds =
        1000 + static_cast<std::uint32_t>(now_.time_since_epoch().count() / 1'000'000'000);
    o.former_gone = true;
    o.random_seed = n.value();
    Node& me = node(n);
    ++me.life;
    me.paused = false;
    me.fenced = false;
    me.lease = core::LeaseUpdate{};
    me.queued.clear();
    me.kept.clear();
    me.held.clear();
    me.wake = kForever;
    me.core = std::make_unique<core::Arbiter>(now_, o);
    carry_out(n);
    for (const FileIndex f : header.in_use) {
        open_file(n, f);
    }
}

NodeSet Cluster::configured(NodeNumber n) const {
    NodeSet nodes = NodeSet::of(n);
    for (unsigned i = 1; i <= (options_.configured != 0 ? options_.configured : options_.nodes);
         ++i) {
        nodes.insert(NodeNumber{i});
    }
    return nodes;
}

void Cluster::reload(NodeNumber n, unsigned configured) {
    options_.configured = configured;
    step(n, core::NodesChanged{this->configured(n), options_.nodes});
}

void Cluster::crash(NodeNumber n) {
    Node& me = node(n);
    ++me.life;
    me.core.reset();
    me.lease = core::LeaseUpdate{};
}

void Cluster::pause(NodeNumber n) {
    node(n).paused = true;
}

void Cluster::resume(NodeNumber n) {
    Node& me = node(n);
    me.paused = false;
    const auto queued = std::exchange(me.queued, {});
    for (const core::Input& i : queued) {
        step(n, i);
    }
    step(n, core::Tick{});
}

void Cluster::cut(NodeNumber from, NodeNumber to) {
    deaf_to_[to].insert(from);
}
void Cluster::heal() {
    deaf_to_ = {};
}
void Cluster::hang(NodeNumber n, unsigned file) {
    node(n).hung[file] = true;
}
void Cluster::unhang(NodeNumber n, unsigned file) {
    node(n).hung[file] = false;
    for (auto& act : std::exchange(node(n).held, {})) {
        at(now_, std::move(act));
    }
}
void Cluster::request(NodeNumber n, const core::OperatorRequest& r) {
    step(n, r);
}
void Cluster::lose_guardian(NodeNumber n) {
    step(n, core::GuardianLost{});
}

bool Cluster::clients_act(NodeNumber n) const {
    const Node& me = nodes_[n];
    return me.lease.may_act && now_ < me.lease.end && !me.fenced;
}

std::optional<core::StatusView> Cluster::status(NodeNumber n) const {
    if (!nodes_[n].core) {
        return std::nullopt;
    }
    return nodes_[n].core->status(now_);
}

void Cluster::run(Duration time) {
    const Instant end = now_ + time;
    while (!events_.empty() && events_.top().at <= end) {
        const Event e = events_.top();
        events_.pop();
        now_ = e.at;
        e.act();
    }
    now_ = end;
}

void Cluster::step(NodeNumber n, const core::Input& input, std::shared_ptr<void> keep) {
    Node& me = node(n);
    if (!me.core) {
        return;
    }
    if (me.paused) {
        me.queued.push_back(input);
        me.kept.push_back(std::move(keep));
        return;
    }
    me.core->step(now_, input);
    carry_out(n);
}

void Cluster::carry_out(NodeNumber n) {
    Node& me = node(n);
    const core::Output out = me.core->take_output();
    const std::uint64_t life = me.life;
    if (out.lease) {
        guard(n, *out.lease);
    }
    for (const core::CycleOrder& order : out.cycles) {
        run_cycle(n, order);
    }
    if (out.heartbeat) {
        send(n, *out.heartbeat);
    }
    for (const core::Notice& notice : out.notices) {
        on_notice_(now_, n, notice);
    }
    for (const Instance victim : out.fence) {
        on_fence_(now_, n, victim);
        if (options_.fence_command) {
            at(now_ + *options_.fence_command, [this, n, life, victim] {
                if (node(n).life == life) {
                    step(n, core::FenceConfirmed{victim});
                }
            });
        }
    }
    if (out.drain || out.fence_self) {
        at(now_ + kGuardian, [this, n, life] {
            if (node(n).life == life) {
                node(n).fenced = true;
                step(n, core::ClientsGone{});
            }
        });
    }
    if (out.exit) {
        const bool again = out.exit->kind == core::Exit::Kind::kAgain;
        ++me.life;
        at(now_, [this, n, again, ended = life + 1] {
            if (node(n).life == ended) {
                node(n).core.reset();
                if (again) {
                    start(n);
                }
            }
        });
        return;
    }
    if (out.wake_at < me.wake || me.wake <= now_) {
        me.wake = out.wake_at;
        if (out.wake_at != kForever) {
            at(std::max(out.wake_at, now_), [this, n, life] {
                if (node(n).life == life) {
                    node(n).wake = kForever;
                    step(n, core::Tick{});
                }
            });
        }
    }
}

void Cluster::guard(NodeNumber n, const core::LeaseUpdate& update) {
    Node& me = node(n);
    me.lease = update;
    const std::uint64_t life = me.life;
    at(now_ + kGuardian, [this, n, life, serial = update.serial] {
        if (node(n).life == life) {
            step(n, core::LeaseAcknowledged{serial});
        }
    });
    if (update.armed && !update.released) {
        at(update.end, [this, n, life, end = update.end] {
            Node& then = node(n);
            if (then.life == life && then.lease.end <= end && then.lease.armed &&
                !then.lease.released) {
                then.fenced = true;  // The guardian ends daemon and clients.
                crash(n);
            }
        });
    }
}

void Cluster::run_cycle(NodeNumber n, const core::CycleOrder& order) {
    const std::uint64_t life = node(n).life;
    const FileIndex f = order.file;
    const FileTag tag = images_[f].tag;
    const auto finish = [this, n, life, order, f] {
        const FileImage& image = images_[f];
        auto views = std::make_shared<std::vector<SlotView>>(
            image.slots.begin(), image.slots.begin() + static_cast<std::ptrdiff_t>(order.slots));
        const SlotView& own = (*views)[n.index()];
        core::CycleFinished done;
        done.file = order.file;
        done.id = order.id;
        done.own_as_written =
            order.own && own.heartbeat == order.own->heartbeat && own.ballot == order.own->ballot;
        done.slots = *views;
        done.header_generation = image.header.generation;
        at(now_ + kRead, [this, n, life, done, views] {
            if (node(n).life == life) {
                step(n, done, views);
            }
        });
    };
    const auto write = [this, n, order, f, tag, finish] {
        FileImage& image = images_[f];
        if (image.tag == tag) {  // Else the disk is another one by now.
            if (order.header && order.header->generation > image.header.generation) {
                image.header = *order.header;
            }
            for (const auto& k : order.kills) {
                image.slots[k.slot.index()].kill = k.block;
            }
            if (order.own) {
                image.slots[n.index()].heartbeat = order.own->heartbeat;
                image.slots[n.index()].ballot = order.own->ballot;
            }
        }
        finish();
    };
    at(now_ + kWrite, [this, n, life, f, write] {
        if (node(n).hung[static_cast<unsigned>(f.index())]) {
            node(n).held.push_back(write);
        } else if (node(n).life == life) {
            write();
        }
    });
}

void Cluster::send(NodeNumber n, const netbeat::Heartbeat& h) {
    auto copy = std::make_shared<netbeat::Heartbeat>(h);
    for (unsigned i = 1; i <= options_.nodes; ++i) {
        const NodeNumber to{i};
        if (to == n || deaf_to_[to].contains(n)) {
            continue;
        }
        at(now_ + kNetwork,
           [this, to, copy] { step(to, core::HeartbeatReceived{copy.get()}, copy); });
    }
}

}  // namespace css::interaction
