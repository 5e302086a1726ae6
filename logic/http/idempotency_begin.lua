-- A call begins. ARGV: 1 its owner, 2 life of a pending key (ms). Answer: the value before. A key
-- that is absent, or has the record of a failed call, becomes pending.
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 1) ~= 'f' then return v end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return v
