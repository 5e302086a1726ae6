-- KEYS as of later_add.lua. ARGV: 1 now (ms), 2 when what is taken now may be taken again (ms), 3 the most to take, 4 the most
-- bytes. Returns id, record, id, record, …
local lapsed = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, id in ipairs(lapsed) do
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZADD', KEYS[1], ARGV[1], id)
end
local out, bytes = {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
    if bytes > tonumber(ARGV[4]) then break end
    local record = redis.call('HGET', KEYS[3], id)
    redis.call('ZREM', KEYS[1], id)
    if record then
        redis.call('ZADD', KEYS[2], ARGV[2], id)
        out[#out + 1] = id
        out[#out + 1] = record
        bytes = bytes + #record
    end
end
return out
