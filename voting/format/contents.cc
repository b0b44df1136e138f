#include "voting/format/contents.h"

#include <algorithm>
#include <limits>

namespace css::voting {
namespace {

bool fits(std::chrono::milliseconds timeout) {
    return timeout.count() >= 1 && timeout.count() <= std::numeric_limits<std::uint32_t>::max();
}

void put_timeout(std::chrono::milliseconds timeout, FieldWriter& to) {
    to.put(static_cast<std::uint32_t>(timeout.count()));
}

std::chrono::milliseconds get_timeout(FieldReader& from) {
    return std::chrono::milliseconds{from.get<std::uint32_t>()};
}

}  // namespace

bool is_consistent(const Parameters& parameters) {
    return fits(parameters.misscount) && fits(parameters.disktimeout) &&
           fits(parameters.reboottime);
}

void put_parameters(const Parameters& parameters, FieldWriter& to) {
    put_timeout(parameters.misscount, to);
    put_timeout(parameters.disktimeout, to);
    put_timeout(parameters.reboottime, to);
}

Parameters get_parameters(FieldReader& from) {
    Parameters parameters;
    parameters.misscount = get_timeout(from);
    parameters.disktimeout = get_timeout(from);
    parameters.reboottime = get_timeout(from);
    return parameters;
}

bool is_consistent(FileSet files) {
    return files.bits() < (1U << kFilesMax);
}

bool is_consistent(const Record& record) {
    const FileSet named = record.files | record.files_next;
    for (std::size_t i = 0; i < kFilesMax; ++i) {
        const FileIndex f = FileIndex::from_index(i);
        if (record.file_tags[f] != FileTag{} && !named.contains(f)) {
            return false;
        }
    }
    if (!is_consistent(record.parameters) || !is_consistent(record.files) ||
        !is_consistent(record.files_next) ||
        static_cast<std::uint8_t>(record.cause) > kRecordCauseMax) {
        return false;
    }
    if (record.incarnation == Incarnation{}) {
        return record.members.empty() && record.files_next.empty() &&
               std::all_of(record.unique.begin(), record.unique.end(), [](Unique u) {
                   return u == Unique{};
               });
    }
    for (const NodeNumber member : record.members) {
        if (record.unique[member] == Unique{}) {
            return false;
        }
    }
    return !record.members.empty() && !record.files.empty();
}

void put_record(const Record& record, FieldWriter& to) {
    to.put(record.incarnation.value());
    to.put(record.members.bits());
    to.put_each(record.unique, [](Unique unique) { return unique.value(); });
    put_parameters(record.parameters, to);
    to.put(record.files.bits());
    to.put(record.files_next.bits());
    to.put(static_cast<std::uint8_t>(record.proposer.value()));
    to.put(static_cast<std::uint8_t>(record.cause));
    to.skip(2);
    to.put(record.files_generation);
    to.put_each(record.file_tags, [](FileTag tag) { return tag.value(); });
}

void get_record(FieldReader& from, Record& record) {
    record.incarnation = Incarnation{from.get<std::uint64_t>()};
    record.members = NodeSet{from.get<std::uint64_t>()};
    from.get_each(record.unique, [](std::uint32_t value) { return Unique{value}; });
    record.parameters = get_parameters(from);
    record.files = FileSet{from.get<std::uint16_t>()};
    record.files_next = FileSet{from.get<std::uint16_t>()};
    record.proposer = from.get_node();
    record.cause = static_cast<RecordCause>(from.get<std::uint8_t>());
    from.skip_zeros(2);
    record.files_generation = from.get<std::uint64_t>();
    from.get_each(record.file_tags, [](std::uint32_t value) { return FileTag{value}; });
}

}  // namespace css::voting
