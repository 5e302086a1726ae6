-- KEYS: the partition's number. ARGV: ours, heard, claim (1 or 0), how far ahead of the time a
-- number can be. What cannot be a number of ours is as good as none.
local t = redis.call('TIME')
local ms = t[1] * 1000 + math.floor(t[2] / 1000)
local limit = ms + tonumber(ARGV[4])
local n = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
local ours, heard = tonumber(ARGV[1]), tonumber(ARGV[2])
if not (n <= limit) then n = 0 end
if ours > 0 and n > ours and ARGV[3] == '0' then return 0 end
if heard > limit then heard = 0 end
if ours > limit then ours = 0 end
n = math.max(n + 1, ours + 1, heard + 1, ms)
redis.call('SET', KEYS[1], string.format('%.0f', n))
return n
