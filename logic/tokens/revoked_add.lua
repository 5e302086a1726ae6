-- KEYS[1] imc:revoked:UID. ARGV: now (ms), the most fields that the hash may have, then FIELD VALUE for each that is added.
-- A value ends in the time when it is over. Returns how many fields there are; -1: there would be too many.
local function until_of(value)
    return tonumber(string.match(value, '(%d+)$'))
end
local now, last, n, have = tonumber(ARGV[1]), 0, 0, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    if until_of(all[i + 1]) <= now then
        redis.call('HDEL', KEYS[1], all[i])
    else
        have[all[i]] = all[i + 1]
        n = n + 1
        last = math.max(last, until_of(all[i + 1]))
    end
end
for i = 3, #ARGV, 2 do
    if not have[ARGV[i]] then
        n = n + 1
    end
end
if n > tonumber(ARGV[2]) then
    return -1
end
for i = 3, #ARGV, 2 do
    local field, value = ARGV[i], ARGV[i + 1]
    local before = have[field] and tonumber(string.match(have[field], '^(-?%d+):'))
    if before and before > tonumber(string.match(value, '^(-?%d+):')) then
        value = before .. ':' .. string.match(value, '(%d+)$')
    end
    redis.call('HSET', KEYS[1], field, value)
    last = math.max(last, until_of(value))
end
redis.call('PEXPIRE', KEYS[1], last - now)
return n
