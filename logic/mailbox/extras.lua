-- What belongs to messages of a mailbox, and leaves with them. Each of these hashes exists only while it has something.
--   owed      id → tokens of the sessions that are owed the message
--   devices   id → tokens of the devices that are owed it
--   collapse  'k' .. key → id and score of the message that waits with this key;  'i' .. id → 'k' .. key
--@include traced.lua
--@include fact.lua
local owed, devices, collapse = KEYS[1] .. ':owed', KEYS[1] .. ':devices', KEYS[1] .. ':collapse'
local plain = redis.call('EXISTS', owed, devices, collapse) == 0
-- MEMBER leaves the mailbox, of which the fact WHAT is told, if there is one. Answer: 1, or 0 if it was not there. The beginning of a traced one is added to LIST, if
-- there is one.
local function leave(member, list, what)
  if list then trace(member, list) end
  if not plain then
    local id = string.sub(member, 1, 8)
    redis.call('HDEL', owed, id)
    redis.call('HDEL', devices, id)
    local key = redis.call('HGET', collapse, 'i' .. id)
    if key then redis.call('HDEL', collapse, key, 'i' .. id) end
  end
  local gone = redis.call('ZREM', KEYS[1], member)
  if gone == 1 and what then fact(what, string.sub(member, 1, 8)) end
  return gone
end
