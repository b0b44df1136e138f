#pragma once

#include "cssd/base/record.h"
#include "cssd/base/timing.h"
#include "voting/format/bytes.h"

/// Parts that several kinds of sector contain. For the codecs of this folder only.
namespace css::voting {

inline constexpr std::size_t kParametersSize = 3 * 4;
inline constexpr std::size_t kRecordSize = 8 + 8 + 4 * std::size_t{kNodesMax} + kParametersSize +
                                           2 + 2 + 1 + 1 + 2 + 8 + 4 * std::size_t{kFilesMax};
static_assert(kRecordSize == 360);

/// Each time-out is 1 ms to 2^32-1 ms. Which combinations are wise is validate()'s business.
[[nodiscard]] bool is_consistent(const Parameters& parameters);
void put_parameters(const Parameters& parameters, FieldWriter& to);
[[nodiscard]] Parameters get_parameters(FieldReader& from);

/// Only places 0..14.
[[nodiscard]] bool is_consistent(FileSet files);

/// What every record fulfils, R_0 (and the value-initialised one) included.
[[nodiscard]] bool is_consistent(const Record& record);
void put_record(const Record& record, FieldWriter& to);
void get_record(FieldReader& from, Record& record);

}  // namespace css::voting
