-- Messages are owed to some sessions no longer. ARGV: 1 the sessions' tokens; then pairs of score
-- and id. Answer: number removed.
local owed, removed, gone = KEYS[1] .. ':owed', 0, {}
for token in string.gmatch(ARGV[1], '%S+') do gone[token] = true end
for i = 2, #ARGV, 2 do
  local id, others, had = ARGV[i + 1], {}, false
  local list = redis.call('HGET', owed, id)
  for token in string.gmatch(list or '', '%S+') do
    if token == '+' then
      had = true
    elseif not gone[token] then
      others[#others + 1] = token
    end
  end
  if list and #others > 0 then
    if had then others[#others + 1] = '+' end
    redis.call('HSET', owed, id, table.concat(others, ' '))
  elseif list then
    redis.call('HDEL', owed, id)
    local page = had and redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i]) or {}
    for _, member in ipairs(page) do
      if string.sub(member, 1, 8) == id then
        removed = removed + redis.call('ZREM', KEYS[1], member)
      end
    end
  end
end
return removed
