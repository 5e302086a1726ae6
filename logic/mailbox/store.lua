-- Stores a message.
-- ARGV: 1 score, 2 member, 3 how long it may wait (ms), 4 number of messages to keep, 5 now, 6 the
--   highest score that is too old, 7 when it ends by a ttl of its own (0: it has none),
--   8 mailbox.limit, 9 and 10 score and id of the message that has to be there before it (id '':
--   none). Optional, if it is owed to sessions: 11 their tokens, 12 '1' if the message itself has
--   to be there already.
-- Answer: {added, trimmed, how many are there, expired, id of the newest if there are more than
--   mailbox.limit, else ''}. {0, 0, -1, 0, ''}: the one before it is not there.
-- The keys expire when the message does that may wait longest. The hash never lives longer than the
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
local owed, soon, member = KEYS[1] .. ':owed', 'imc:soon:' .. string.sub(KEYS[1], 8), ARGV[2]
local now, ends = tonumber(ARGV[5]), tonumber(ARGV[7])
if ARGV[12] == '1' and not redis.call('ZSCORE', KEYS[1], member) then
  return {0, 0, 0, 0, ''}
end
if ARGV[10] ~= '' then
  local there = false
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[9], ARGV[9])) do
    there = there or string.sub(old, 1, 8) == ARGV[10]
  end
  if not there then return {0, 0, -1, 0, ''} end
end
--@include drop_ended.lua
if expired > 0 then left = redis.call('PTTL', KEYS[1]) end
local life = math.max(left, tonumber(ARGV[3]))
local added = redis.call('ZADD', KEYS[1], ARGV[1], member)
local count = redis.call('ZCARD', KEYS[1])
if ARGV[11] then
  if added == 1 and count == 1 then redis.call('DEL', owed) end
  local id = string.sub(member, 1, 8)
  local list = redis.call('HGET', owed, id) or ''
  for token in string.gmatch(ARGV[11], '%S+') do
    if list == '' then
      list = token
    elseif not string.find(' ' .. list .. ' ', ' ' .. token .. ' ', 1, true) then
      list = list .. ' ' .. token
    end
  end
  redis.call('HSET', owed, id, list)
  redis.call('PEXPIRE', owed, life)
end
if ends > 0 and not (at and tonumber(at) <= ends) then at = ends end
if at then
  redis.call('SET', soon, string.format('%.0f', tonumber(at)), 'PX', life)
end
local excess = count - ARGV[4]
--@include remove_excess.lua
count = count - excess
redis.call('PEXPIRE', KEYS[1], life)
local newest = ''
if count > tonumber(ARGV[8]) then
  newest = string.sub(redis.call('ZRANGE', KEYS[1], -1, -1)[1], 1, 8)
end
return {added, excess, count, expired, newest}
