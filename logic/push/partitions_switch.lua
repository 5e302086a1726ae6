-- Switches to another number, and ends the hold. Does so only if the hold has not lapsed since it
-- began, and all logics have stopped producing.
-- ARGV: 1 since of the hold, 2 the number, 3 logics that have not asked for so long are gone.
-- Answer: 1: done, 0: not.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'hold', 'since', 'v')
if (tonumber(r[1] or '') or 0) <= now then return 0 end
if tonumber(r[2] or '') ~= tonumber(ARGV[1]) then return 0 end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'l:' and string.sub(all[i + 1], 1, 1) == 'p' and
     now - tonumber(string.sub(all[i + 1], 3)) <= tonumber(ARGV[3]) then return 0 end
end
redis.call('HSET', KEYS[1], 'n', ARGV[2], 'v', (tonumber(r[3] or '') or 0) + 1)
redis.call('HDEL', KEYS[1], 'hold', 'since')
return 1
