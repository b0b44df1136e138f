#pragma once

#include <deque>
#include <map>
#include <vector>

#include "tests/simulator/world.h"

namespace css::sim {

/// Books about each instance, kept from outside: of what was handed to it and what it wrote and
/// sent. They hold what it may claim at most, and by that the audit judges what it does claim:
///
///   Lease     an end that is told is never later than E of PROTOCOL 4, worked out here once more;
///             once that has passed, the instance neither renews it nor goes on publishing
///   Stop      stop rules (b) to (e) are obeyed in the step that shows their cause, and no
///             instance stops without one
///   Connected a bit is backed by an echo of exactly this instance within misscount
///   Echo      neither dropped instances are echoed nor does a RESETTING or FENCED one echo
///   Armed     nobody may act before guardians have said that they are armed
///   Asleep    a daemon that was not run for two intervals reads a file before it writes there
///   Shorten   a smaller time-out never makes the end so near that the lease is lost by it
///
/// The bounds are on the generous side by what cannot be seen from outside, never on the other.
class Audit {
public:
    explicit Audit(World& world);

    // In the order of one step.
    void before_step(Machine& machine, const core::Input& input);
    void after_step(Machine& machine, const core::Output& output);
    void on_lease(const Machine& machine, const core::LeaseUpdate& lease);
    void on_publish(const Machine& machine, const core::CycleOrder& order);
    void on_send(const Machine& machine, const netbeat::Heartbeat& heartbeat);
    void daemon_ended(const Machine& machine);

private:
    struct OnFile {
        Instant begun = kNever;  ///< Of the cycle under way, or of the last one.
        bool under_way = false;
        bool doubtful = false;  ///< The file was opened anew meanwhile: it may not be looked at.
        bool writes = false;
        Incarnation writes_record;
        Parameters writes_promise;
        Instant complete = kNever;  ///< Begin of the newest complete cycle.
        Incarnation stands_record;
        Parameters stands_promise;
    };
    struct Acknowledged {
        Instance m;
        Instant at = kNever;     ///< Newest own heartbeat that exactly m has echoed was sent then.
        Instant floor = kNever;  ///< Adoption of the first record that lists m.
    };
    struct Book {
        Instance self;  ///< Unique zero: no instance yet.
        Instant born = kNever;
        Parameters promise;  ///< At birth.
        Record adopted;
        std::deque<Record> under;      ///< The newest records that it adopted.
        FileSet quorum;                ///< The voting files in force at its birth, and
        std::uint64_t generation = 0;  ///< their generation; what the newest record that it knows
        std::uint64_t files_generation = 0;  ///< says.
        PerFile<OnFile> files;
        PerNode<std::vector<Acknowledged>> peers;  ///< Newest instance last.
        std::deque<std::pair<Sequence, Instant>> sent;
        PerNode<std::pair<Unique, Sequence>> heard;
        Incarnation records_read;  ///< Up to here all that were shown to it have been looked at.
        core::StopReason must_stop = core::StopReason::kNone;
        std::array<bool, 7> cause{};  ///< By StopReason: something of this kind was shown.
        Instant step_at = kNever;
        Instant awake_since = kNever;  ///< Its first step after two intervals without one.
        bool lapsed = false;
        Instant lapsed_end = kNever;
        Instant end = kNever;  ///< E when it was last worked out; it only grows until `stale`.
        bool stale = true;
        core::LeaseUpdate told;
        std::uint64_t armed_serial = 0;
        bool armed = false;
    };

    void note_cycle(Book& book, const Machine& machine, const core::CycleFinished& cycle);
    static void note_own_slot(Book& book,
                              const Machine& machine,
                              const SlotView& own,
                              const OnFile& file);
    static void note_heartbeat(Book& book, const netbeat::Heartbeat& heartbeat);
    enum class Obey : std::uint8_t { kMust, kMay };
    static void note_cause(Book& book, core::StopReason reason, Obey obey = Obey::kMust);
    static void begin(Book& book, const core::StatusView& status, Instant now);
    static void adopt(Book& book, const Record& record);
    [[nodiscard]] Instant disk_time(const Book& book) const;
    [[nodiscard]] Parameters standing_promise(const Book& book) const;
    [[nodiscard]] Incarnation standing_record(const Book& book) const;
    [[nodiscard]] Instant lease_end(const Book& book) const;
    [[nodiscard]] Instant heard_by_all(const Book& book) const;
    [[nodiscard]] static Acknowledged& peer(Book& book, Instance m);
    void check_goes_on(const Book& book, const Machine& machine, const char* does) const;
    void check_connected(const Book& book, const Machine& machine, NodeSet connected) const;
    void check_stop(const Book& book, const Machine& machine, const core::Notice& notice) const;
    [[noreturn]] void fail(const char* rule, const Machine& machine, const std::string& what) const;

    World& world_;
    Duration longest_interval_{};
    std::vector<Book> books_;  ///< By machine.
};

}  // namespace css::sim
