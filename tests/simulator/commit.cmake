# cmake -DFROM=source -DTO=file.cc -P commit.cmake: the commit that is built, written when it changed.
execute_process(COMMAND git -C ${FROM} describe --always --dirty=+changes --abbrev=12
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
    set(commit "unknown")
endif()
file(CONFIGURE OUTPUT ${TO} CONTENT "#include \"tests/simulator/commit.h\"

namespace css::sim {

const char* const kCommit = \"@commit@\";

}  // namespace css::sim
" @ONLY)
