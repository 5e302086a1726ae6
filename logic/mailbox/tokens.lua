-- The tokens that message ID has in HASH, without those of the table GONE. Then two more answers: was one of GONE among
-- them; has some session had the message?
local function tokens_without(hash, id, gone)
  local rest, own, had = '', false, false
  for token in string.gmatch(redis.call('HGET', hash, id) or '', '%S+') do
    if token == '+' then
      had = true
    elseif gone[token] then
      own = true
    else
      rest = rest .. token .. ' '
    end
  end
  return rest, own, had
end
local function tokens_put(hash, id, tokens, had)
  if tokens == '' then
    redis.call('HDEL', hash, id)
  else
    redis.call('HSET', hash, id, tokens .. (had and '+' or ''))
  end
end
-- Message ID, whose score is SCORE, leaves the mailbox. Answer: number removed.
local function leave_id(score, id)
  local removed = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], score, score)) do
    if string.sub(member, 1, 8) == id then removed = removed + leave(member, traced, KEYS[2] and wanted) end
  end
  return removed
end
