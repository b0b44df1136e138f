#pragma once

namespace css::guardian {

/// The reset of this host: at once, without a sync, by the magic sysrq key where there is one, else
/// by reboot(2). What it needs is opened beforehand; the act allocates nothing and takes no lock.
///
/// It never resets the real machine
/// - in a build without CSS_REAL_RESET (those for development),
/// - with a file instead, to which it writes `b` (tests),
/// - in a network namespace that is not the first process's: such a node shares its host with
///   others, as those of a laboratory do, and must not take that away from them.
class Reset {
public:
    Reset() = default;
    ~Reset();
    Reset(const Reset&) = delete;
    Reset& operator=(const Reset&) = delete;
    Reset(Reset&&) = delete;
    Reset& operator=(Reset&&) = delete;

    /// `file_instead`: null or empty is none. May be called again.
    void open(const char* file_instead);
    /// Whether act() would end this host, as far as can be told (a file counts: it stands for it).
    [[nodiscard]] bool is_able() const { return fd_ >= 0 || reboots_; }
    /// Returns only when this host goes on.
    void act() const;

private:
    int fd_ = -1;           ///< The sysrq key, or the file instead.
    bool reboots_ = false;  ///< reboot(2) may be called.
};

}  // namespace css::guardian
