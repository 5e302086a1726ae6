-- Trims a mailbox. ARGV: 1 and 2 score and id of the newest message that counts, 3 how many of it
--   and older ones to keep, 4 the same while messages are owed to sessions.
-- Answer: number removed, and 1 if some are kept only because messages are owed to sessions.
local owed, rank, keep, kept = KEYS[1] .. ':owed', -1, ARGV[3], 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do
  if string.sub(member, 1, 8) == ARGV[2] then
    rank = redis.call('ZRANK', KEYS[1], member)
  end
end
if rank >= tonumber(keep) and redis.call('EXISTS', owed) == 1 then
  keep, kept = ARGV[4], 1
end
local excess = rank + 1 - keep
--@include remove_excess.lua
return {excess, kept}
