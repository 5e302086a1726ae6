-- Removes all messages up to an id.
-- ARGV: 1 the id's score, 2 and 3 the upper and lower half of the id. Answer: number removed.
local removed = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
local high, low = tonumber(ARGV[2]), tonumber(ARGV[3])
local function covers(text)
  local h, l = 0, 0
  if #text >= 8 then h, l = struct.unpack('>I4I4', text) end
  return h < high or (h == high and l <= low)
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do
  if covers(member) then removed = removed + redis.call('ZREM', KEYS[1], member) end
end
for _, id in ipairs(redis.call('HKEYS', KEYS[1] .. ':owed')) do
  if covers(id) then redis.call('HDEL', KEYS[1] .. ':owed', id) end
end
return removed
