-- A logic asks for the number of partitions. partition_count.h has the fields of the hash.
-- ARGV: 1 the logic's id, 2 and 3 the number and version that it knows (0: none), 4 `since` of the
--   hold during which it has stopped and has nothing under way (0: it has not), 5 Kafka's number,
--   6 '1': take Kafka's number although it is lower, 7 forget logics that have not asked for so
--   long (ms; 0: do not look for them).
-- Answer: {number, version, since of a hold that is in force, or 0}.
-- If the hash has a lower version than the logic knows, Redis has lost data: the logic's counts.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local id, n, v = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local count, forget = tonumber(ARGV[5]), tonumber(ARGV[7])
local r = redis.call('HMGET', KEYS[1], 'n', 'v', 'hold', 'since')
local rn, rv = tonumber(r[1] or '') or 0, tonumber(r[2] or '') or 0
if rn < 1 or v > rv then
  rn, rv = n, v
  if rn < 1 then rn, rv = count, 1 end
  redis.call('HSET', KEYS[1], 'n', rn, 'v', rv)
elseif ARGV[6] == '1' and v == rv and count < rn then
  rn, rv = count, rv + 1
  redis.call('HSET', KEYS[1], 'n', rn, 'v', rv)
end
local since = tonumber(r[4] or '') or 0
if (tonumber(r[3] or '') or 0) <= now then since = 0 end
local state = since > 0 and tonumber(ARGV[4]) == since and 'h ' or 'p '
redis.call('HSET', KEYS[1], 'l:' .. id, state .. string.format('%.0f', now))
if forget > 0 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local ms = string.sub(all[i], 1, 2) == 'l:' and tonumber(string.sub(all[i + 1], 3))
    if ms and now - ms > forget then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
return {rn, rv, since}
