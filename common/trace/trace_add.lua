-- Adds steps to a message's trace. ARGV: 1 how long it is kept (ms), 2 the most steps that it may
-- have, then the steps. Answer: number added.
local room = tonumber(ARGV[2]) - redis.call('LLEN', KEYS[1])
local n = math.max(math.min(room, #ARGV - 2), 0)
if n > 0 then redis.call('RPUSH', KEYS[1], unpack(ARGV, 3, n + 2)) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return n
