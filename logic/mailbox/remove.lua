-- Removes messages. ARGV: members; as in fact.lua, if they have ended. Answer: number removed.
--@include extras.lua
local removed = 0
for i = 1, KEYS[2] and #ARGV - 1 or #ARGV do removed = removed + leave(ARGV[i], nil, 'e') end
return removed
