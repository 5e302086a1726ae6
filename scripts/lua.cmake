# A Lua script for Redis as a C header, at build: -DIN=store.lua -DOUT=store.lua.h -DNAME=store_lua -P lua.cmake
# A line "--@include FILE.lua" stands for that file, of the same folder.
file(READ "${IN}" text)
get_filename_component(folder "${IN}" DIRECTORY)
while(text MATCHES "(^|\n)--@include ([a-z_]+\\.lua)\n")
  set(name "${CMAKE_MATCH_2}")
  file(READ "${folder}/${name}" part)
  string(REPLACE "--@include ${name}\n" "${part}" text "${text}")
endwhile()
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE "${OUT}" "/* Made of ${NAME}'s .lua file at build. */\nstatic const char ${NAME}[] =\n    \"${text}\";\n")
