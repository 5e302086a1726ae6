# Files as a C header, at build: -DOUT=demo_files.inc -DNAME=demo_files -DFILES="name=path|name=path" -P embed.cmake
# It holds an array NAME of struct embedded_file (common/base/embedded.h).
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_md "text/markdown; charset=utf-8")
set(types_ini "text/plain; charset=utf-8")
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
#include \"common/base/embedded.h\"
${arrays}
static const struct embedded_file ${NAME}[] = {
${rows}};
")
