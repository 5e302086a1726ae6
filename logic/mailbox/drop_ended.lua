-- Removes messages that have ended. By age they have the lowest scores. Those with a ttl of their own are searched for
-- only when the number `soon` says that it is time, because their members have to be read: at most once a second, and
-- at most a thousand members.
local expired = 0
local aged = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[6], 'LIMIT', 0, 100)
for _, old in ipairs(aged) do expired = expired + leave(old, nil, 'e') end
local at = redis.call('GET', soon)
if at and tonumber(at) <= now then
  local least = math.huge
  for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, 999)) do
    if #old >= 20 then
      local high, low = struct.unpack('>I4I4', old, 13)
      local ends = high % 2147483648 * 4294967296 + low
      if ends > 0 and ends <= now then
        expired = expired + leave(old, nil, 'e')
      elseif ends > 0 and ends < least then
        least = ends
      end
    end
  end
  at = least < math.huge and math.max(least, now + 1000)
  if not at then redis.call('DEL', soon) end
end
