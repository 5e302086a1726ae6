-- What became of a message is told, in the order of what becomes of it in the mailbox.
-- KEYS: 1 the mailbox; 2 and 3 as in fact.lua. ARGV: 1 and 2 score and id of the message, 3 what: 's', if it is there, or
-- 'e', if it is not; the last as in fact.lua.
--@include fact.lua
local there = false
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do
  there = there or string.sub(member, 1, 8) == ARGV[2]
end
if there == (ARGV[3] == 's') then fact(ARGV[3], ARGV[2]) end
return 0
