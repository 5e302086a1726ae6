-- Notes a session of a goim comet. KEYS[1]: the sessions of a user, key → "EXPIRES SERVER" (ms).
-- ARGV: 1 key, 2 server, 3 now (ms), 4 how long it lives (ms), 5 most sessions, 0 = any number, 6 '1': it connects.
-- Answer: 1; 0: it only says that it lives, and its key has moved to another server; -1: too many sessions.
local now = tonumber(ARGV[3])

local function split(value)
  local expires, server = string.match(value, '^(%d+) (.*)$')
  return tonumber(expires or 0), server
end

local function drop_expired()
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if split(all[i + 1]) <= now then
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end

local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  local expires, server = split(old)
  if ARGV[6] ~= '1' and server ~= ARGV[2] and expires > now then
    return 0
  end
elseif tonumber(ARGV[5]) > 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then
  drop_expired()
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then
    return -1
  end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + tonumber(ARGV[4])) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
