-- Removes all messages up to an id.
-- ARGV: 1 and 2 the upper and lower half of the id.
-- Answer: {number removed, the beginnings of traced ones among them}.
--@include extras.lua
local removed, high, low = 0, tonumber(ARGV[1]), tonumber(ARGV[2])
local function covers(member)
  local h, l = 0, 0
  if #member >= 8 then h, l = struct.unpack('>I4I4', member) end
  return h < high or (h == high and l <= low)
end
local page, before
repeat
  page, before = redis.call('ZRANGE', KEYS[1], 0, 63), removed
  for _, member in ipairs(page) do
    if covers(member) then removed = removed + leave(member, traced) end
  end
until removed == before or #page < 64
return {removed, traced}
