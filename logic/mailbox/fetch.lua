-- Reads a page: messages with an id above AFTER.
-- ARGV: 1 lowest score, 2 and 3 the upper and lower half of AFTER, 4 number wanted, 5 bytes wanted,
--   6 optional, a token: leaves out messages that are owed only to other sessions.
-- Answer: members; for a message that is left out only its id.
-- Several ids may have AFTER's millisecond, so the page begins within that score. That takes a
-- script, which is one step for confirms as well. There is at least one member if any is left. A
-- member that is too short for an id is part of the answer too: page_answer() removes it.
local out, offset, bytes, owed = {}, 0, 0, KEYS[1] .. ':owed'
local high, low = tonumber(ARGV[2]), tonumber(ARGV[3])
local want, room = tonumber(ARGV[4]), tonumber(ARGV[5])
local own = ARGV[6] and redis.call('EXISTS', owed) == 1 and ' ' .. ARGV[6] .. ' '
local step = math.min(want, 64)
while #out < want do
  local page = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'LIMIT', offset, step)
  if #page == 0 then break end
  for _, member in ipairs(page) do
    local h, l = math.huge, 0
    if #member >= 8 then h, l = struct.unpack('>I4I4', member) end
    if h > high or (h == high and l > low) then
      local id = string.sub(member, 1, 8)
      local list = own and redis.call('HGET', owed, id)
      if list and not string.find(' ' .. list .. ' ', own, 1, true) then member = id end
      out[#out + 1] = member
      bytes = bytes + #member
      if #out == want or bytes > room then return out end
    end
  end
  offset = offset + #page
end
return out
