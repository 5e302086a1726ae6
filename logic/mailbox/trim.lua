-- Trims a mailbox. ARGV: 1 and 2 score and id of the newest message that counts, 3 how many of it
--   and older ones to keep, 4 the same while messages are owed to sessions.
-- Answer: number removed.
local owed, rank, keep = KEYS[1] .. ':owed', -1, ARGV[3]
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do
  if string.sub(member, 1, 8) == ARGV[2] then
    rank = redis.call('ZRANK', KEYS[1], member)
  end
end
if redis.call('EXISTS', owed) == 1 then keep = ARGV[4] end
local excess = rank + 1 - keep
--@include remove_excess.lua
return excess
