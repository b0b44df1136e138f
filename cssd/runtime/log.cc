#include "cssd/runtime/log.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>

#include <pthread.h>
#include <sched.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "cssd/base/check.h"
#include "cssd/runtime/log_file.h"

namespace css::runtime {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr std::size_t kStackSize = 8U << 20;  // Its own data in each stack needs more than ours.
#else
constexpr std::size_t kStackSize = 256U << 10;
#endif
constexpr std::chrono::seconds kFlushMax{1};

/// spdlog's side of a LogFile. Written to by the log thread only; counters may be read by all.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    FileSink(const std::string& path, LogFile::Limits limits) : file_{path, limits} {}
    Status open() { return file_.open(); }

    [[nodiscard]] std::uint64_t failed() const { return failed_; }
    /// Waits until everything logged before a flush was written; false when that takes too long.
    bool wait_flushed(std::chrono::steady_clock::time_point until) {
        std::unique_lock lock{flush_mutex_};
        return flush_done_.wait_until(lock, until, [this] { return flushed_; });
    }

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        if (!file_.append({line.data(), line.size()})) {
            ++failed_;
        }
    }
    void flush_() override {
        const std::lock_guard lock{flush_mutex_};
        flushed_ = true;
        flush_done_.notify_all();
    }

    LogFile file_;
    std::atomic<std::uint64_t> failed_ = 0;
    std::mutex flush_mutex_;
    std::condition_variable flush_done_;
    bool flushed_ = false;
};

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::kTrace: return spdlog::level::trace;
        case config::LogLevel::kDebug: return spdlog::level::debug;
        case config::LogLevel::kInfo: return spdlog::level::info;
        case config::LogLevel::kWarning: return spdlog::level::warn;
        case config::LogLevel::kError: return spdlog::level::err;
        case config::LogLevel::kCritical: return spdlog::level::critical;
        case config::LogLevel::kOff: return spdlog::level::off;
    }
    return spdlog::level::info;
}

/// The level in nine columns, as the trace shows it.
std::string_view column_of(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::kTrace: return "    TRACE";
        case config::LogLevel::kDebug: return "    DEBUG";
        case config::LogLevel::kInfo: return "     INFO";
        case config::LogLevel::kWarning: return "  WARNING";
        case config::LogLevel::kError: return "    ERROR";
        case config::LogLevel::kCritical: return " CRITICAL";
        case config::LogLevel::kOff: return "      OFF";
    }
    return "     INFO";
}

/// One line stays one line, whatever a name or a message brings along.
std::string one_line(std::string text) {
    for (char& c : text) {
        const auto code = static_cast<unsigned char>(c);
        c = (code < ' ' || code == 0x7F) ? ' ' : c;
    }
    return text;
}

std::string thread_name() {
    std::array<char, 16> name{};
    static_cast<void>(::pthread_getname_np(::pthread_self(), name.data(), name.size()));
    return name.data();
}

/// First thing that the log thread does: it must never compete with heartbeats, and signals are
/// for the main thread.
void prepare_log_thread() {
    static_cast<void>(::pthread_setname_np(::pthread_self(), "log"));
    const sched_param none{};
    static_cast<void>(::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &none));
    sigset_t all;
    sigfillset(&all);
    static_cast<void>(::pthread_sigmask(SIG_BLOCK, &all, nullptr));
}

/// spdlog starts its thread with default attributes; locked memory would hold the whole default
/// stack of 8 MiB.
std::shared_ptr<spdlog::details::thread_pool> make_pool(const LogOptions& options) {
    pthread_attr_t before;
    pthread_attr_t small;
    CSS_CHECK(::pthread_getattr_default_np(&before) == 0);
    CSS_CHECK(::pthread_getattr_default_np(&small) == 0);
    CSS_CHECK(::pthread_attr_setstacksize(&small, kStackSize) == 0);
    CSS_CHECK(::pthread_setattr_default_np(&small) == 0);
    auto pool = std::make_shared<spdlog::details::thread_pool>(
        options.queue_lines, 1U, [more = options.on_thread_start] {
            prepare_log_thread();
            if (more) {
                more();
            }
        });
    CSS_CHECK(::pthread_setattr_default_np(&before) == 0);
    ::pthread_attr_destroy(&before);
    ::pthread_attr_destroy(&small);
    return pool;
}

}  // namespace

class Log::Impl {
public:
    explicit Impl(const LogOptions& options)
        : trace_file{options.directory + "/cssd.trc"},
          alert_sink{
              std::make_shared<FileSink>(options.directory + "/alert.log", LogFile::Limits{})},
          trace_sink{
              std::make_shared<FileSink>(trace_file,
                                         LogFile::Limits{.size_max = options.trace_size_max,
                                                         .files_max = options.trace_files_max})} {}

    /// Begins to log: nothing before this needs a thread.
    void start(const LogOptions& options) {
        pool = make_pool(options);
        alert = make_logger("alert", alert_sink, "%Y-%m-%d %H:%M:%S.%e [CSSD(%P)]%v");
        trace = make_logger("trace", trace_sink, "%Y-%m-%d %H:%M:%S.%e :    CSSD:%v");
        trace->set_level(to_spdlog(options.level));
        level = options.level;
    }

    std::shared_ptr<spdlog::async_logger> make_logger(const char* name,
                                                      const std::shared_ptr<FileSink>& sink,
                                                      const char* pattern) {
        auto logger = std::make_shared<spdlog::async_logger>(
            name, sink, pool, spdlog::async_overflow_policy::overrun_oldest);
        logger->set_pattern(pattern);
        logger->set_error_handler([this](const std::string&) { ++broken; });
        return logger;
    }

    const std::string trace_file;
    const std::shared_ptr<FileSink> alert_sink;
    const std::shared_ptr<FileSink> trace_sink;
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::async_logger> alert;
    std::shared_ptr<spdlog::async_logger> trace;
    std::atomic<config::LogLevel> level{config::LogLevel::kInfo};
    std::atomic<std::uint64_t> broken = 0;  ///< Lines that spdlog itself could not handle.
};

Result<std::unique_ptr<Log>> Log::open(const LogOptions& options) {
    auto impl = std::make_unique<Impl>(options);
    for (const auto& sink : {impl->alert_sink, impl->trace_sink}) {
        if (auto opened = sink->open(); !opened) {
            return opened.error();
        }
    }
    impl->start(options);
    return std::unique_ptr<Log>{new Log{std::move(impl)}};
}

Log::Log(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

namespace {

/// The log of a disk that hangs for ever; its thread may still come back to it.
std::atomic<void*> abandoned = nullptr;

}  // namespace

Log::~Log() {
    impl_->alert->flush();
    impl_->trace->flush();
    const auto until = std::chrono::steady_clock::now() + kFlushMax;
    const bool written =
        impl_->alert_sink->wait_flushed(until) && impl_->trace_sink->wait_flushed(until);
    if (!written) {
        // The disk hangs, and the log thread in it: joining that thread would hang this one.
        abandoned = impl_.release();
    }
}

void Log::alert(std::string_view text) {
    const std::string line = one_line(std::string{text});
    impl_->alert->log(spdlog::level::info, line);
    trace(config::LogLevel::kInfo, "alert", line);
}

void Log::trace(config::LogLevel level, std::string_view function, std::string_view text) {
    if (!traces(level)) {
        return;
    }
    std::string line = thread_name();
    line.append(": [").append(column_of(level)).append("] ");
    line.append(function).append(": ").append(text);
    impl_->trace->log(to_spdlog(level), one_line(std::move(line)));
}

bool Log::traces(config::LogLevel level) const {
    return level >= impl_->level.load(std::memory_order_relaxed);
}

void Log::set_level(config::LogLevel level) {
    impl_->level = level;
    impl_->trace->set_level(to_spdlog(level));
}

config::LogLevel Log::level() const {
    return impl_->level;
}

const std::string& Log::trace_file() const {
    return impl_->trace_file;
}

std::uint64_t Log::dropped() const {
    return impl_->pool->overrun_counter();
}

std::uint64_t Log::failed() const {
    return impl_->alert_sink->failed() + impl_->trace_sink->failed() + impl_->broken;
}

}  // namespace css::runtime
