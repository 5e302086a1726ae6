-- Messages up to an id are owed to nobody any more, and stay.
-- ARGV: 1 and 2 the upper and lower half of the id. Answer: number of such messages.
local owed, forgotten = KEYS[1] .. ':owed', 0
local high, low = tonumber(ARGV[1]), tonumber(ARGV[2])
for _, id in ipairs(redis.call('HKEYS', owed)) do
  local h, l = 0, 0
  if #id >= 8 then h, l = struct.unpack('>I4I4', id) end
  if h < high or (h == high and l <= low) then
    forgotten = forgotten + redis.call('HDEL', owed, id)
  end
end
return forgotten
