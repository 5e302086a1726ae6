-- The first facts, and users of whom a message has ended. One logic at a time has them.
-- KEYS: 1 imc:facts, 2 imc:facts:owner, 3 imc:facts:lost, 4 imc:ends. ARGV: 1 who asks, 2 for how long they are its (ms),
-- 3 the most facts, 4 now, 5 the most users. Returns {facts, uids, number of facts that were not kept}; or, if they are
-- another's, {for how long they still are (ms)}.
-- Who has nothing to do writes only when half of its time is over: each write is one more to Redis's log and replicas.
local owner, left = redis.call('GET', KEYS[2]), redis.call('PTTL', KEYS[2])
if owner and owner ~= ARGV[1] then return {left} end
local facts = redis.call('LRANGE', KEYS[1], 0, ARGV[3] - 1)
if #facts > 0 or left < ARGV[2] / 2 then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) end
return {
    facts,
    redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[4], 'LIMIT', 0, ARGV[5]),
    tonumber(redis.call('GET', KEYS[3]) or 0),
}
