-- ARGV: score and id, number to keep of what is not newer, the same while sessions are owed
-- messages → number removed.
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
