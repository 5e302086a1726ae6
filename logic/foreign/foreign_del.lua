-- A session of a goim comet has ended. KEYS[1]: the sessions of its user. ARGV: 1 key, 2 server.
-- Answer: 1; 0: it was not there, or its key has moved to another server.
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value or string.match(value, '^%d+ (.*)$') ~= ARGV[2] then
  return 0
end
return redis.call('HDEL', KEYS[1], ARGV[1])
