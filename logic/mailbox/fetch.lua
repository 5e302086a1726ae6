-- ARGV: lowest score, the two halves of AFTER, number wanted, bytes wanted; then, if what is owed
-- only to others is to be left out, a token → members, and of what is left out the id alone.
-- Several ids may share AFTER's millisecond, so the page starts inside that score: hence by script,
-- in one step with respect to confirms. At least one member comes if there is one. A member too
-- short for an id comes too: page_answer() throws it out.
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
