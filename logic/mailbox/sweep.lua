-- Removes messages that have ended, of a user whom imc:ends names, and says when the next one does.
-- KEYS: 1 the mailbox; 2 and 3 as in fact.lua. ARGV: 5 now, 6 the highest score that is too old, 7 mailbox.ttl, the last as in
-- fact.lua. Answer: how many it has removed.
--@include extras.lua
local soon = 'imc:soon:' .. string.sub(KEYS[1], 8)
local now = tonumber(ARGV[5])
--@include drop_ended.lua
local uid = string.sub(KEYS[1], 8)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #first == 0 then
  redis.call('ZREM', KEYS[3], uid)
  return expired
end
local next_ms = tonumber(first[2]) + tonumber(ARGV[7]) + 1
if at then
  next_ms = math.min(next_ms, tonumber(at))
  local lives = math.max(redis.call('PTTL', KEYS[1]), 1)
  redis.call('SET', soon, string.format('%.0f', tonumber(at)), 'PX', lives)
end
redis.call('ZADD', KEYS[3], string.format('%.0f', math.max(next_ms, now + 1)), uid)
return expired
