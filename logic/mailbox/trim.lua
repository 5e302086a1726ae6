-- Trims a mailbox. ARGV: 1 and 2 score and id of the newest message that counts, 3 how many of it and older ones to
--   keep, 4 the same while messages are owed to sessions. What is owed to devices is kept beside them.
-- Answer: number removed; 1 if some are kept only because messages are owed to sessions; the beginnings of traced ones
--   that were removed.
--@include extras.lua
local rank, keep, kept, excess = -1, tonumber(ARGV[3]), 0, 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do
  if string.sub(member, 1, 8) == ARGV[2] then
    rank = redis.call('ZRANK', KEYS[1], member)
  end
end
if rank >= keep and not plain and redis.call('EXISTS', owed) == 0 and redis.call('EXISTS', devices) == 1 then
  -- From the newest on, because what is owed to devices is older, as a rule: they are not there any more.
  local most, n, last = redis.call('ZCARD', KEYS[1]) - redis.call('HLEN', devices) - keep, 0, rank
  while last >= 0 and excess < most do
    local first = math.max(last - 31, 0)
    local page = redis.call('ZRANGE', KEYS[1], first, last)
    for i = #page, 1, -1 do
      if redis.call('HEXISTS', devices, string.sub(page[i], 1, 8)) == 0 then
        n = n + 1
        if n > keep then excess = excess + leave(page[i], traced, 't') end
      end
    end
    last = first - 1
  end
  return {excess, 0, traced}
end
if rank >= keep and not plain and redis.call('EXISTS', owed) == 1 then
  keep, kept = tonumber(ARGV[4]), 1
end
excess = rank + 1 - keep
--@include remove_excess.lua
return {excess, kept, traced}
