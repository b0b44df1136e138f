#pragma once

#include <chrono>
#include <memory>

#include "cssd/runtime/control.h"
#include "cssd/runtime/core_host.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/requests.h"
#include "cssd/runtime/voting_files.h"

namespace css::runtime {

/// Carries out what an administrator wants of the voting files: finds out which set that is,
/// formats what is new, offers it to the cluster and has the core change the set (PROTOCOL 7). Each
/// on a thread of its own ("votedisk"), because a device can hang while it is formatted; one at a
/// time.
class FileChanger {
public:
    struct Parts {
        CoreHost& core;
        VotingFiles& files;
        Requests& requests;
        Log& log;
        std::function<Names()> names;
    };
    explicit FileChanger(Parts parts);
    ~FileChanger();
    FileChanger(const FileChanger&) = delete;
    FileChanger& operator=(const FileChanger&) = delete;
    FileChanger(FileChanger&&) = delete;
    FileChanger& operator=(FileChanger&&) = delete;

    /// Does not wait. `done` is called once, from any thread.
    void change(const FileChange& change, ControlBackend::Answered done);

    /// No part is used any more when it has returned. False: a thread hangs in a device and is left
    /// behind.
    bool stop(std::chrono::milliseconds wait = std::chrono::milliseconds{500});

private:
    class Job;
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

}  // namespace css::runtime
