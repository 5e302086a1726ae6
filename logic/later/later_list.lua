-- KEYS as of later_add.lua. ARGV: 1 from when on (ms), 2 the id that the last page ended with at that time, or '', 3 the most,
-- 4 the most bytes. Returns id, due, record, id, … in their order.
local out, n, bytes, offset = {}, 0, 0, 0
while n < tonumber(ARGV[3]) and bytes <= tonumber(ARGV[4]) do
    local page = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', offset, 100)
    if #page == 0 then break end
    offset = offset + 100
    for i = 1, #page, 2 do
        local id, due = page[i], page[i + 1]
        local seen = tonumber(due) == tonumber(ARGV[1]) and ARGV[2] ~= '' and id <= ARGV[2]
        if not seen and n < tonumber(ARGV[3]) and bytes <= tonumber(ARGV[4]) then
            local record = redis.call('HGET', KEYS[3], id) or ''
            out[#out + 1] = id
            out[#out + 1] = due
            out[#out + 1] = record
            n = n + 1
            bytes = bytes + #record
        end
    end
end
return out
