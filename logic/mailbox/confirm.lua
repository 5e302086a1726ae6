-- A session confirms messages.
-- ARGV: 1 the session's token, or ''; then pairs of score and id.
-- Answer: {number removed, number kept, then pairs of id and tokens}. The pairs are the messages
-- that are kept although they were not owed to this session.
local owed, removed, kept, left = KEYS[1] .. ':owed', 0, 0, {0, 0}
local some = redis.call('EXISTS', owed) == 1
for i = 2, #ARGV, 2 do
  local id, others, own = ARGV[i + 1], '', false
  local list = some and redis.call('HGET', owed, id)
  if list then
    for token in string.gmatch(list, '%S+') do
      if token == ARGV[1] then
        own = true
      elseif token ~= '+' then
        others = others .. token .. ' '
      end
    end
  end
  if others ~= '' then
    redis.call('HSET', owed, id, others .. '+')
    kept = kept + 1
    if not own then
      left[#left + 1] = id
      left[#left + 1] = others
    end
  else
    if list then redis.call('HDEL', owed, id) end
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])) do
      if string.sub(member, 1, 8) == id then
        removed = removed + redis.call('ZREM', KEYS[1], member)
      end
    end
  end
end
left[1], left[2] = removed, kept
return left
