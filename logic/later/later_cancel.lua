-- KEYS as of later_add.lua. ARGV: 1 id. Returns 1; 0: it does not wait, or is taken.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
