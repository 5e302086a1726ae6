-- Reads a page: messages with an id above AFTER.
-- ARGV: 1 lowest score, 2 and 3 the upper and lower half of AFTER, 4 number wanted, 5 bytes wanted.
--   Optional: 6 and 7 the tokens of the session that reads and of its device, or ''. Then messages are left out that
--   are owed only to others. 6 '': it has just connected. What is owed to other sessions may be owed to the one that
--   its device had before, and what nobody has had is for whoever comes first. So only messages are left out that are
--   owed to no session, but to other devices, and that some session has had.
-- Answer: members; for a message that is left out {its id}.
-- Several ids may have AFTER's millisecond, so the page begins within that score. That takes a
-- script, which is one step for confirms as well. There is at least one member if any is left. A
-- member that is too short for an id, or has id 0, is part of the answer too: page_answer() removes it.
--@include extras.lua
local out, offset, bytes = {}, 0, 0
local high, low = tonumber(ARGV[2]), tonumber(ARGV[3])
local want, room, after_none = tonumber(ARGV[4]), tonumber(ARGV[5]), high == 0 and low == 0
local function has(list, token)
  return list and token ~= '' and string.find(' ' .. list .. ' ', ' ' .. token .. ' ', 1, true)
end
local function is_for_others(id)
  local sessions, others = redis.call('HGET', owed, id), redis.call('HGET', devices, id)
  if not sessions and not others or has(others, ARGV[7]) then return false end
  if ARGV[6] == '' then return not sessions and has(others, '+') end
  return not has(sessions, ARGV[6])
end
local step = math.min(want, 64)
while #out < want do
  local page = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'LIMIT', offset, step)
  if #page == 0 then break end
  for _, member in ipairs(page) do
    local h, l = math.huge, 0
    if #member >= 8 then h, l = struct.unpack('>I4I4', member) end
    if h > high or (h == high and l > low) or after_none then
      local id = string.sub(member, 1, 8)
      if ARGV[6] and not plain and is_for_others(id) then member = {id} end
      out[#out + 1] = member
      bytes = bytes + #member
      if #out == want or bytes > room then return out end
    end
  end
  offset = offset + #page
end
return out
