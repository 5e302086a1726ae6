-- ARGV: owner, life of a pending key → what was there before. Absent and partial become pending.
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 1) ~= 'f' then return v end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return v
