# Files as a C header, at build: -DOUT=demo_files.inc -DNAME=demo_files -DFILES="name=path|name=path" -P embed.cmake
# It holds an array NAME of { name, type, bytes, len }. A name that ends in "/", and the empty one, is a folder's page.
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
string(REGEX REPLACE "s$" "" item "${NAME}")
set(arrays "")
set(rows "")
set(n 0)
string(REPLACE "|" ";" files "${FILES}")
foreach(file ${files})
  string(REGEX MATCH "^([^=]*)=(.+)$" found "${file}")
  set(name "${CMAKE_MATCH_1}")
  set(path "${CMAKE_MATCH_2}")
  string(REGEX MATCH "[a-z]+$" end "${path}")
  if(NOT DEFINED types_${end})
    message(FATAL_ERROR "embed.cmake: ${path}: no type is known for .${end}")
  endif()
  file(READ "${path}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n    "
    bytes "${bytes}")
  string(APPEND arrays "static const unsigned char ${NAME}_${n}[] = {\n    ${bytes}\n};\n")
  string(APPEND rows "    {\"${name}\", \"${types_${end}}\", ${NAME}_${n}, sizeof ${NAME}_${n}},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made by scripts/embed.cmake at build. */
#include <stddef.h>
${arrays}
static const struct ${item} {
    const char *name, *type;
    const unsigned char *bytes;
    size_t len;
} ${NAME}[] = {
${rows}};
")
