-- KEYS as of later_add.lua. ARGV: 1 id, 2 when it is due again (ms); '' if it is over. Nothing happens unless it is taken.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
if ARGV[2] == '' then return redis.call('HDEL', KEYS[3], ARGV[1]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
