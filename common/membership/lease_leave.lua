-- Gives a lease back. KEYS: the kind's hash. ARGV: 1 id, 2 epoch. Answer: 1 if the lease was ours
-- and is gone now.
local ok, m = pcall(cjson.decode, redis.call('HGET', KEYS[1], ARGV[1]) or '')
if not ok or type(m) ~= 'table' or m.epoch ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
