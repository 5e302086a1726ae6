-- Stores a message.
-- ARGV: 1 score, 2 member, 3 how long it may wait (ms), 4 number of messages to keep, 5 now, 6 the
--   highest score that is too old, 7 when it ends by a ttl of its own (0: it has none),
--   8 mailbox.limit, 9 and 10 score and id of the message that has to be there before it (id '':
--   none). Optional: 11 and 12 tokens of the sessions and of the devices that are owed it, 13 '1' if the message
--   itself has to be there already, 14 mailbox.limit_acked, 15 its collapse key, or ''. As in
--   fact.lua: then imc:ends gets the user, and the keys live an hour longer, so that what ends can be told.
-- Answer: {added, trimmed, how many are there, expired, id of the newest if there are more than
--   mailbox.limit, else ''}, and perhaps: replaced, dropped beyond mailbox.limit_acked, then the beginnings of traced
--   ones that were trimmed, replaced and dropped. {0, 0, -1, 0, ''}: the one before it is not there.
-- The keys expire when the message does that may wait longest. A hash never lives longer than the
-- set, since its messages are in the set. It may outlive the set if somebody deletes that, or Redis
-- evicts it. Then it is deleted before a new one begins.
-- If nothing waits yet, as for most users of a large push, the first lines do everything. They take
-- little more than half the time.
local left = redis.call('PTTL', KEYS[1])
if left == -2 and ARGV[7] == '0' and ARGV[10] == '' and not ARGV[11] then
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {1, 0, 1, 0, ''}
end
--@include extras.lua
local soon, member, id = 'imc:soon:' .. string.sub(KEYS[1], 8), ARGV[2], string.sub(ARGV[2], 1, 8)
local now, ends = tonumber(ARGV[5]), tonumber(ARGV[7])
local sessions, others, key = ARGV[11] or '', ARGV[12] or '', ARGV[15] or ''
if ARGV[13] == '1' then
  -- It was there. If some session has had it since, that is the one that it is owed to now.
  local list = redis.call('HGET', devices, id) or ''
  if not redis.call('ZSCORE', KEYS[1], member) or string.find(' ' .. list .. ' ', ' + ', 1, true) then
    return {0, 0, 0, 0, ''}
  end
end
if ARGV[10] ~= '' then
  local there = redis.call('ZSCORE', KEYS[1], member)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[9], ARGV[9])) do
    there = there or string.sub(old, 1, 8) == ARGV[10]
  end
  if not there then return {0, 0, -1, 0, ''} end
end
--@include drop_ended.lua
if expired > 0 then left = redis.call('PTTL', KEYS[1]) end
local life, limit = math.max(left, ARGV[3] + (KEYS[3] and 3600000 or 0)), tonumber(ARGV[8])
if KEYS[3] then
  local first, user = ARGV[5] + ARGV[3], string.sub(KEYS[1], 8)
  local known = redis.call('ZSCORE', KEYS[3], user)
  if not known or tonumber(known) > first then
    redis.call('ZADD', KEYS[3], string.format('%.0f', first), user)
  end
end
local function newest(count)
  return count > limit and string.sub(redis.call('ZRANGE', KEYS[1], -1, -1)[1], 1, 8) or ''
end
-- LIST with those of TOKENS that it lacks; nothing is added beyond MOST bytes.
local function with(list, tokens, most)
  for token in string.gmatch(tokens, '%S+') do
    local known = string.find(' ' .. list .. ' ', ' ' .. token .. ' ', 1, true)
    if token ~= '+' and not known and #list < most then
      list = list == '' and token or list .. ' ' .. token
    end
  end
  return list
end
local replaced, traced_replaced = 0, {}
if key ~= '' then
  local waiting, high, low = redis.call('HGET', collapse, 'k' .. key), struct.unpack('>I4I4', id)
  local former, score = string.sub(waiting or '', 1, 8), string.sub(waiting or '', 9)
  local h, l = struct.unpack('>I4I4', waiting or member)
  if h > high or (h == high and l > low) then
    -- This one was read from the bus again, or a session has kept it for so long: it is replaced before it is stored.
    fact('r', id)
    local count = redis.call('ZCARD', KEYS[1])
    return {0, 0, count, expired, newest(count)}
  end
  local page = waiting and former ~= id and redis.call('ZRANGEBYSCORE', KEYS[1], score, score) or {}
  for _, old in ipairs(page) do
    if string.sub(old, 1, 8) == former then
      -- Who is owed the former one and has not had it is owed this one. That would add up if a client came with
      -- another key again and again. So those that are owed it for longest are forgotten.
      sessions = with(sessions, redis.call('HGET', owed, former) or '', 16384)
      others = with(others, redis.call('HGET', devices, former) or '', 16384)
      replaced = replaced + leave(old, traced_replaced, 'r')
    end
  end
end
local added = redis.call('ZADD', KEYS[1], ARGV[1], member)
local count = redis.call('ZCARD', KEYS[1])
if ARGV[11] and added == 1 and count == 1 then redis.call('DEL', owed, devices, collapse) end
local function owe(hash, tokens)
  redis.call('HSET', hash, id, with(redis.call('HGET', hash, id) or '', tokens, math.huge))
  redis.call('PEXPIRE', hash, life)
  plain = false
end
if sessions ~= '' then owe(owed, sessions) end
if others ~= '' then owe(devices, others) end
if key ~= '' then
  redis.call('HSET', collapse, 'k' .. key, id .. ARGV[1], 'i' .. id, 'k' .. key)
  redis.call('PEXPIRE', collapse, life)
  plain = false
end
if ends > 0 and not (at and tonumber(at) <= ends) then at = ends end
if at then
  redis.call('SET', soon, string.format('%.0f', tonumber(at)), 'PX', life)
end
-- The oldest of what is owed to devices beyond mailbox.limit_acked leaves, unless it is owed to a session, too.
local dropped, rank, traced_dropped = 0, 0, {}
local over = others ~= '' and redis.call('HLEN', devices) - ARGV[14] or 0
while over > 0 do
  local page = redis.call('ZRANGE', KEYS[1], rank, rank + 15)
  if #page == 0 then break end
  for _, old in ipairs(page) do
    local gone = 0
    if over > 0 and redis.call('HDEL', devices, string.sub(old, 1, 8)) == 1 then
      over = over - 1
      if redis.call('HEXISTS', owed, string.sub(old, 1, 8)) == 0 then gone = leave(old, traced_dropped, 't') end
    end
    dropped, rank = dropped + gone, rank + 1 - gone
  end
end
local excess = count - dropped - ARGV[4]
--@include remove_excess.lua
count = count - dropped - excess
redis.call('PEXPIRE', KEYS[1], life)
return {added, excess, count, expired, newest(count), replaced, dropped, traced, traced_replaced, traced_dropped}
