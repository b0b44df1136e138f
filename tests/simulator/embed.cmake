# cmake -DNAME=kName -DFROM=file -DTO=file.h -P embed.cmake: a text file as a string constant.
file(READ ${FROM} text)
file(WRITE ${TO} "#pragma once\n\nnamespace css {\n\ninline constexpr char ${NAME}[] = R\"css_page(${text})css_page\";\n\n}  // namespace css\n")
