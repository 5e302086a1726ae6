-- Begins or renews a hold, and looks which logics have not stopped producing yet.
-- ARGV: 1 how long to hold (ms; 0: only look), 2 logics that have not asked for so long are gone.
-- Answer: {since when it is held, the number, how many logics have not stopped, one of them}.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local hold, forget = tonumber(ARGV[1]), tonumber(ARGV[2])
local r = redis.call('HMGET', KEYS[1], 'n', 'hold', 'since')
local since = tonumber(r[3] or '') or 0
if (tonumber(r[2] or '') or 0) <= now then since = now end
if hold > 0 then
  redis.call('HSET', KEYS[1], 'hold', string.format('%.0f', now + hold),
      'since', string.format('%.0f', since))
end
local n, who, all = 0, '', redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'l:' and string.sub(all[i + 1], 1, 1) == 'p' then
    local age = now - tonumber(string.sub(all[i + 1], 3))
    if age <= forget then
      n = n + 1
      who = string.sub(all[i], 3) .. ', heard of ' .. math.floor(age) .. ' ms ago'
    end
  end
end
return {since, tonumber(r[1] or '') or 0, n, who}
