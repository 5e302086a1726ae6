-- KEYS: 1 imc:later, 2 imc:later:taken, 3 imc:later:what. ARGV: 1 id, 2 when it is due (ms), 3 the record, 4 the most that may
-- wait. Returns 1; 0: it waits already; -1: too many do; -2: another record waits with this id.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZSCORE', KEYS[2], ARGV[1]) then
    return redis.call('HGET', KEYS[3], ARGV[1]) == ARGV[3] and 0 or -2
end
if redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then return -1 end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
